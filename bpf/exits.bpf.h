// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Ends of processes of chosen names. A part of sampler.bpf.c.

struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, SAMPLER_MAX_EXITS);
    __type(key, char[SAMPLER_COMM_BYTES]);
    __type(value, __u32); // its place in `exits`
} watched_names SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, SAMPLER_MAX_EXITS);
    __uint(map_flags, BPF_F_MMAPABLE);
    __type(key, __u32);
    __type(value, struct sampler_exit);
} exits SEC(".maps");

// With the last of its threads; its name is that of the first.
SEC("?tp_btf/sched_process_exit")
int on_watched_exit(__u64 *ctx)
{
    const struct task_struct *task = (const struct task_struct *)ctx[0];
    char name[SAMPLER_COMM_BYTES] = {0};
    if (task->signal->live.counter != 0 ||
        bpf_probe_read_kernel_str(name, sizeof(name), task->group_leader->comm) <= 0) {
        return 0;
    }
    const __u32 *place = bpf_map_lookup_elem(&watched_names, name);
    struct sampler_exit *exit = place == NULL ? NULL : bpf_map_lookup_elem(&exits, place);
    if (exit != NULL) {
        exit->time_ns = bpf_ktime_get_ns();
        exit->pid = task->tgid;
        exit->status = task->exit_code;
        __sync_fetch_and_add(&exit->cnt, 1);
    }
    return 0;
}
