// SPDX-License-Identifier: Apache-2.0
// /proc/PID/cgroup as container engines make it, by kind of hierarchy.
#include "capture/system/cgroup_place.h"

#include "test.h"

#define ID "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define UID "0a1b2c3d-4e5f-6071-8293-a4b5c6d7e8f9"
#define UID_ "0a1b2c3d_4e5f_6071_8293_a4b5c6d7e8f9"

static struct cgroup_place place;

static bool parse(const char *text)
{
    memset(&place, 0, sizeof place);
    return cgroup_place_parse(text_of(text), &place);
}

TEST(engines_by_their_paths)
{
    static const struct {
        const char *text;
        const char *engine;
        const char *pod;
    } CASES[] = {
        {"0::/system.slice/docker-" ID ".scope\n", "docker", ""},
        {"4:memory:/docker/" ID "\n0::/\n", "docker", ""},
        {"0::/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod" UID_
         ".slice/cri-containerd-" ID ".scope\n",
         "containerd", UID},
        {"0::/kubepods.slice/kubepods-pod" UID_ ".slice/cri-containerd-" ID ".scope/init\n",
         "containerd", UID},
        {"5:cpu,cpuacct:/kubepods/besteffort/pod" UID "/" ID "\n", "", UID},
        {"0::/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod" UID_
         ".slice/crio-" ID ".scope/container\n",
         "cri-o", UID},
        {"0::/machine.slice/libpod-" ID ".scope/container\n", "podman", ""},
        {"0::/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-" ID ".scope\n",
         "podman", ""},
        {"2:memory:/libpod_parent/libpod-" ID "\n", "podman", ""},
        {"0::/system.slice/nerdctl-" ID ".scope\n", "containerd", ""},
        {"0::/../../kubepods-pod" UID_ ".slice/cri-containerd-" ID ".scope\n", "containerd", UID},
        {"0::/docker/1123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef/docker/" ID
         "\n",
         "docker", ""}, // the innermost
    };
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        CHECK(parse(CASES[i].text));
        CHECK_STR(place.container, ID);
        CHECK_STR(place.engine, CASES[i].engine);
        CHECK_STR(place.pod, CASES[i].pod);
    }
}

TEST(lxc_has_names)
{
    CHECK(parse("0::/lxc.payload.web1/system.slice/x.service\n"));
    CHECK_STR(place.container, "web1");
    CHECK_STR(place.engine, "lxc");
    CHECK(parse("4:memory:/lxc/db-2/init.scope\n"));
    CHECK_STR(place.container, "db-2");
}

TEST(a_pod_that_the_node_defines)
{
    CHECK(parse("0::/kubepods.slice/kubepods-burstable.slice/"
                "kubepods-burstable-pod0123456789abcdef0123456789abcdef.slice/crio-" ID ".scope"));
    CHECK_STR(place.pod, "0123456789abcdef0123456789abcdef");
}

TEST(what_is_no_container)
{
    static const char *const CASES[] = {
        "0::/\n",
        "0::/system.slice/ssh.service\n",
        "0::/user.slice/user-0.slice/session-1.scope\n",
        "0::/machine.slice/libpod-conmon-" ID ".scope\n", // watches over one
        "0::/system.slice/crio-conmon-" ID ".scope\n",
        "4:memory:/process_api/b222714841e460ff1d6a985c70baa920\n",
        "0::/x" ID "\n", // a longer word
        "0::/0" ID "\n", // 65 digits
        "0::/podcast/podium\n",
    };
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        CHECK(parse(CASES[i]));
        CHECK_STR(place.container, "");
        CHECK_STR(place.pod, "");
    }
}

TEST(the_line_that_tells_most)
{
    CHECK(parse("9:name=systemd:/a/b/c/d\n4:memory:/docker/" ID "\n0::/x\n"));
    CHECK_STR(place.controllers, "memory");
    CHECK(parse("9:cpu:/a/b/c/d\n0::/x\n"));
    CHECK_STR(place.controllers, "");
    CHECK_STR(place.path, "/x");
    CHECK(parse("9:cpu:/a\n4:memory:/a/b\n0::/\n"));
    CHECK_STR(place.controllers, "memory");
}

TEST(no_lines_no_place)
{
    CHECK(!parse(""));
    CHECK(!parse("nonsense\n4:memory\n"));
}

TEST(a_long_path_is_cut)
{
    char text[2048] = "0::/";
    memset(text + 4, 'x', 1500);
    CHECK(parse(text));
    CHECK_UINT(strlen(place.path), CGROUP_PATH_BYTES - 1);
}
