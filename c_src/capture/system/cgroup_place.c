// SPDX-License-Identifier: Apache-2.0
#include "capture/system/cgroup_place.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

enum { ID_DIGITS = 64 };

static bool is_hex(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
}

static bool begins(struct text text, const char *prefix)
{
    size_t len = strlen(prefix);
    return text.len >= len && memcmp(text.bytes, prefix, len) == 0;
}

static void copy(struct text from, char *to, size_t to_bytes)
{
    (void)snprintf(to, to_bytes, "%.*s", (int)from.len, from.len == 0 ? "" : from.bytes);
}

// --- one component of a path ------------------------------------------------------

// Where 64 hexadecimal digits end, alone but for `PREFIX-` and `.scope`; or 0.
static uint32_t id_end(struct text part)
{
    uint32_t end = part.len;
    if (end > 6 && memcmp(part.bytes + end - 6, ".scope", 6) == 0) {
        end -= 6;
    }
    for (uint32_t i = 1; i <= ID_DIGITS; i++) {
        if (i > end || !is_hex(part.bytes[end - i])) {
            return 0;
        }
    }
    bool is_alone = end == ID_DIGITS || part.bytes[end - ID_DIGITS - 1] == '-';
    return is_alone ? end : 0;
}

// The process that watches over a container is not in it.
static bool is_monitor(struct text part)
{
    return begins(part, "crio-conmon-") || begins(part, "libpod-conmon-");
}

static const char *engine_of(struct text part, struct text parent)
{
    static const struct {
        const char *prefix;
        const char *engine;
    } ENGINES[] = {
        {"docker-", "docker"},      {"cri-containerd-", "containerd"},
        {"nerdctl-", "containerd"}, {"crio-", "cri-o"},
        {"libpod-", "podman"},
    };
    for (size_t i = 0; i < sizeof ENGINES / sizeof ENGINES[0]; i++) {
        if (begins(part, ENGINES[i].prefix)) {
            return ENGINES[i].engine;
        }
    }
    if (parent.len == 6 && begins(parent, "docker")) {
        return "docker";
    }
    return begins(parent, "libpod_parent") ? "podman" : "";
}

static bool take_lxc(struct text part, struct text parent, struct cgroup_place *place)
{
    struct text name = {part.bytes, 0};
    if (begins(part, "lxc.payload.")) {
        name = (struct text){part.bytes + 12, part.len - 12};
    } else if (parent.len == 3 && begins(parent, "lxc")) {
        name = part;
    }
    if (name.len == 0) {
        return false;
    }
    copy(name, place->container, sizeof place->container);
    place->engine = "lxc";
    return true;
}

static void take_container(struct text part, struct text parent, struct cgroup_place *place)
{
    uint32_t end = id_end(part);
    if (end == 0) {
        (void)take_lxc(part, parent, place);
    } else if (!is_monitor(part)) {
        copy((struct text){part.bytes + end - ID_DIGITS, ID_DIGITS}, place->container,
             sizeof place->container);
        place->engine = engine_of(part, parent);
    }
}

// `pod<uid>` or `kubepods-burstable-pod<uid>.slice`, where the uid has dashes, underscores
// or (of a pod that the node itself defines) nothing between 32 digits.
static void take_pod(struct text part, struct cgroup_place *place)
{
    char uid[POD_UID_BYTES];
    uint32_t len = 0;
    uint32_t at = 0;
    if (begins(part, "kubepods")) {
        for (uint32_t i = 0; i + 4 < part.len; i++) {
            at = memcmp(part.bytes + i, "-pod", 4) == 0 ? i + 4 : at;
        }
    } else if (begins(part, "pod")) {
        at = 3;
    }
    for (uint32_t i = at; at != 0 && i < part.len && len + 1 < sizeof uid; i++) {
        char c = part.bytes[i];
        if (!is_hex(c) && c != '-' && c != '_') {
            break;
        }
        uid[len++] = (char)(c == '_' ? '-' : c);
    }
    if (len == 32 || len == 36) {
        copy((struct text){uid, len}, place->pod, sizeof place->pod);
    }
}

// --- one line ---------------------------------------------------------------------

static void take_path(struct text path, struct cgroup_place *place)
{
    struct text parent = {"", 0};
    uint32_t begin = 0;
    for (uint32_t i = 0; i <= path.len; i++) {
        if (i < path.len && path.bytes[i] != '/') {
            continue;
        }
        struct text part = {path.bytes + begin, i - begin};
        if (part.len > 0) {
            take_container(part, parent, place); // the innermost one stays
            take_pod(part, place);
            parent = part;
        }
        begin = i + 1;
    }
}

// `HIERARCHY:CONTROLLERS:PATH`
static bool parse_line(struct text line, struct cgroup_place *place)
{
    const char *end = line.bytes + line.len;
    const char *first = line.len == 0 ? NULL : memchr(line.bytes, ':', line.len);
    const char *second = first == NULL ? NULL : memchr(first + 1, ':', (size_t)(end - first - 1));
    if (second == NULL) {
        return false;
    }
    struct text path = {second + 1, (uint32_t)(end - second - 1)};
    *place = (struct cgroup_place){.engine = ""};
    copy((struct text){first + 1, (uint32_t)(second - first - 1)}, place->controllers,
         sizeof place->controllers);
    copy(path, place->path, sizeof place->path);
    take_path(path, place);
    return true;
}

static bool is_better(const struct cgroup_place *place, const struct cgroup_place *than)
{
    bool in_container = place->container[0] != '\0';
    if (in_container != (than->container[0] != '\0')) {
        return in_container;
    }
    bool is_v2 = place->controllers[0] == '\0' && strcmp(place->path, "/") != 0;
    bool than_v2 = than->controllers[0] == '\0' && strcmp(than->path, "/") != 0;
    if (is_v2 != than_v2) {
        return is_v2;
    }
    return strlen(place->path) > strlen(than->path);
}

bool cgroup_place_parse(struct text text, struct cgroup_place *place_ret)
{
    struct cgroup_place place;
    bool found = false;
    uint32_t begin = 0;
    for (uint32_t i = 0; i <= text.len; i++) {
        if (i < text.len && text.bytes[i] != '\n') {
            continue;
        }
        if (parse_line((struct text){text.bytes + begin, i - begin}, &place) &&
            (!found || is_better(&place, place_ret))) {
            *place_ret = place;
            found = true;
        }
        begin = i + 1;
    }
    return found;
}
