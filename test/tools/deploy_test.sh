#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# What deploy/ has for the command: the Debian package installs, runs and goes
# without a trace; systemd and Kubernetes find nothing wrong with their files.
# shellcheck source=harness.sh
. "$(dirname "$0")/harness.sh"

binary=$top/priv/bin/flameprof
version=$(sed -n 's/^#define FLAME_PROF_VERSION "\(.*\)"$/\1/p' "$top/c_src/base/version.h")

needs() { # TOOL...
    local tool
    for tool in "$@"; do
        command -v "$tool" >/dev/null || { echo "there is no $tool here"; return 77; }
    done
}
build() { # into this directory: $package
    needs dpkg-deb dpkg strip
    [ -x "$binary" ] || { echo "$binary is not built"; return 77; }
    package=$("$top/tools/make-deb" "$binary" .)
}

# dpkg on a root of its own, with an empty list of packages.
on_root() {
    dpkg --root="$PWD/root" --log=/dev/null --force-not-root --force-script-chrootless "$@"
}
make_root() {
    mkdir -p root/var/lib/dpkg/info root/var/lib/dpkg/updates
    touch root/var/lib/dpkg/status root/var/lib/dpkg/available
}

has_its_files() {
    build
    dpkg-deb -c "$package" >listing
    for file in usr/bin/flameprof usr/share/man/man1/flameprof.1.gz etc/default/flameprof \
        usr/lib/systemd/system/flameprof.service usr/share/bash-completion/completions/flameprof \
        usr/share/doc/flameprof/copyright; do
        grep -q " \./$file\$" listing || { cat listing; echo "not in the package: $file"; return 1; }
    done
    if grep -vE '^[d-]rw[x-]r-[x-]r-[x-] root/root ' listing; then
        echo "somebody else's, or writable"
        return 1
    fi
    [ "$(dpkg-deb -f "$package" Version)" = "$version" ]
    [ -z "$(dpkg-deb -f "$package" Depends)" ]
    ! dpkg-deb --fsys-tarfile "$package" | tar -xO ./usr/share/doc/flameprof/copyright | grep '@'
}
same_sources_same_bytes() {
    local first
    build
    first=$(sha256sum <"$package")
    rm "$package"
    build
    [ "$first" = "$(sha256sum <"$package")" ]
}
installs_runs_goes() {
    build
    make_root
    on_root -i "$package"
    accepts "^flameprof $version" root/usr/bin/flameprof --version
    (cd root && md5sum --quiet -c var/lib/dpkg/info/flameprof.md5sums)
    mkdir -p root/var/lib/flameprof
    echo "FLAMEPROF_OPTIONS=-F19" >root/etc/default/flameprof
    on_root -r flameprof
    [ -z "$(find root/usr -type f)" ]
    grep -q F19 root/etc/default/flameprof # the administrator's
    [ -d root/var/lib/flameprof ]
    on_root -P flameprof
    [ -z "$(find root/usr root/etc -type f)" ]
    [ ! -e root/var/lib/flameprof ]
}
upgrade_keeps_options() {
    build
    make_root
    on_root -i "$package"
    echo "FLAMEPROF_OPTIONS=-F19" >root/etc/default/flameprof
    on_root -i "$package"
    grep -q F19 root/etc/default/flameprof
}

# Options in `flags` that the command does not take would make a service that never starts.
takes() { # FLAG...
    [ -x "$binary" ] || { echo "$binary is not built"; return 77; }
    # A directory is refused only after the options have been read.
    accepts 'usage: flameprof record' "$binary" record "$@" --help
}
unit_is_sound() {
    needs systemd-analyze
    mkdir -p unit
    sed 's,/usr/bin/flameprof,/bin/true,' "$top/deploy/systemd/flameprof.service" >unit/flameprof.service
    systemd-analyze verify --man=no "$PWD/unit/flameprof.service" 2>&1 | grep flameprof.service >said || true
    [ ! -s said ] || { cat said; return 1; }
    sed -i 's/^PrivateNetwork=/PrivateNetwrk=/' unit/flameprof.service # or it proves nothing
    refuses "PrivateNetwrk" bash -c "! systemd-analyze verify --man=no '$PWD/unit/flameprof.service' 2>&1 | grep PrivateNetwrk"
}
unit_may_do_little() {
    needs systemd-analyze
    systemd-analyze security --help | grep -q -- --offline || { echo "this systemd-analyze looks at no files"; return 77; }
    # 0 is locked up, 10 may do anything.
    systemd-analyze security --offline=true --threshold=30 --no-pager "$top/deploy/systemd/flameprof.service" >said ||
        { tail -n 3 said; return 1; }
}
options_are_taken() {
    local flags service=$top/deploy/systemd/flameprof.default
    # shellcheck source=../../deploy/systemd/flameprof.default
    flags=$(. "$service" && echo "$FLAMEPROF_OPTIONS")
    # shellcheck disable=SC2086 # split at blanks, as systemd does
    takes $flags
    sed -n '/args:/,/securityContext:/s/^ *- "\{0,1\}\([^"]*\)"\{0,1\}$/\1/p' \
        "$top/deploy/kubernetes/daemonset.yaml" >pod
    sed -n '/^CMD/,$p' "$top/deploy/container/Containerfile" | grep -oE '"[^"]*"' | tr -d '"' >image
    for file in pod image; do
        mapfile -t flags <"$file"
        [ "${flags[0]}" = record ] && [ ${#flags[@]} -gt 3 ]
        takes "${flags[@]:1}"
    done
}

daemonset_is_sound() {
    python3 -c 'import yaml' 2>/dev/null || { echo "there is no yaml for python3 here"; return 77; }
    python3 - "$top/deploy/kubernetes/daemonset.yaml" "$version" <<'END'
import sys, yaml
namespace, daemonset = yaml.safe_load_all(open(sys.argv[1]))
assert namespace["kind"] == "Namespace" and daemonset["kind"] == "DaemonSet"
assert daemonset["metadata"]["namespace"] == namespace["metadata"]["name"]
labels = daemonset["spec"]["template"]["metadata"]["labels"]
assert daemonset["spec"]["selector"]["matchLabels"].items() <= labels.items()
pod = daemonset["spec"]["template"]["spec"]
assert pod["hostPID"] is True
(container,) = pod["containers"]
assert container["image"] == "flameprof:" + sys.argv[2], container["image"]
assert all(isinstance(arg, str) for arg in container["args"])
rights = container["securityContext"]
assert rights["capabilities"]["drop"] == ["ALL"] and not rights["privileged"]
assert {"BPF", "PERFMON", "SYS_PTRACE"} <= set(rights["capabilities"]["add"])
mounts = {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"]}
assert mounts.keys() == {volume["name"] for volume in pod["volumes"]}
output = container["args"][container["args"].index("-o") + 1]
assert output.startswith(mounts["profiles"] + "/")
END
}

it 'the package has its files, and root alone may write them' has_its_files
it 'the same sources make the same package' same_sources_same_bytes
it 'the package installs, runs, and goes; options stay until purged' installs_runs_goes
it 'an upgrade keeps the options' upgrade_keeps_options
it 'systemd understands the unit' unit_is_sound
it 'the service may do little' unit_may_do_little
it 'the command takes the options of unit, image and DaemonSet' options_are_taken
it 'the DaemonSet is in order' daemonset_is_sound
finish
