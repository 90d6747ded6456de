// SPDX-License-Identifier: Apache-2.0
// Files of container engines, in a root of our own.
#include "capture/system/container_names.h"

#include "file_tree.h"
#include "test.h"

#include <sys/stat.h>

#define ID "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static char root[256];
static struct container_name name;

static void put(const char *path, const char *text)
{
    char whole[1024];
    snprintf(whole, sizeof whole, "%s%s", root, path);
    for (char *c = whole + 1; *c != '\0'; c++) {
        if (*c == '/') {
            *c = '\0';
            (void)mkdir(whole, 0755);
            *c = '/';
        }
    }
    FILE *file = fopen(whole, "we");
    CHECK(file != NULL && fputs(text, file) >= 0 && fclose(file) == 0);
}

static void begin(const char *test)
{
    snprintf(root, sizeof root, "%s/%s", test_dir(), test);
    memset(&name, 0, sizeof name);
}

TEST(kubernetes_by_the_name_of_the_log)
{
    begin("kubernetes");
    put("/var/log/containers/other-1_default_app-"
        "f" ID ".log",
        "");
    put("/var/log/containers/shop-7d9f_prod_web-server-" ID ".log", "");
    CHECK(container_names_find(root, ID, &name));
    CHECK_STR(name.container, "web-server");
    CHECK_STR(name.pod, "shop-7d9f");
    CHECK_STR(name.namespace, "prod");
}

TEST(docker_by_its_configuration)
{
    begin("docker");
    put("/var/lib/docker/containers/" ID "/config.v2.json",
        "{\"Config\":{\"Hostname\":\"x\"},\"Name\":\"/shop_db\",\"Driver\":\"overlay2\"}");
    CHECK(container_names_find(root, ID, &name));
    CHECK_STR(name.container, "shop_db");
    CHECK_STR(name.pod, "");
}

TEST(podman_by_its_list)
{
    begin("podman");
    put("/var/lib/containers/storage/overlay-containers/containers.json",
        "[{\"id\":\"ff\",\"names\":[\"first\"]},{\"id\":\"" ID "\",\"names\":[\"second\"]}]");
    CHECK(container_names_find(root, ID, &name));
    CHECK_STR(name.container, "second");
}

TEST(what_nobody_knows)
{
    begin("nobody");
    CHECK(!container_names_find(root, ID, &name));
    put("/var/lib/docker/containers/" ID "/config.v2.json", "{\"Name\":\"/a\\u0022b\"}");
    CHECK(!container_names_find(root, ID, &name)); // escapes
    put("/var/lib/docker/containers/" ID "/config.v2.json", "{\"Name\":\"/cut");
    CHECK(!container_names_find(root, ID, &name));
    CHECK(!container_names_find(root, "../../etc", &name));
    CHECK(!container_names_find(root, "", &name));
}
