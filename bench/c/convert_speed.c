// SPDX-License-Identifier: Apache-2.0
// What reading text, writing a capture and opening it cost:
//
//     convert_speed FILE CAPTURE
//
// reads FILE into memory, then into CAPTURE by batches, then opens CAPTURE and asks for
// a metric. Times are CPU time, of all threads; in brackets what the wall clock says. Sums
// of the metrics must agree.
#include "base/clock.h"
#include "import/import.h"
#include "store/capture_file.h"
#include "store/capture_reader.h"

#include <inttypes.h>
#include <stdio.h>
#include <sys/resource.h>

static uint64_t writing_ns;

struct stretch {
    double cpu_s;
    double wall_s;
};

static double seconds_of(struct timeval time)
{
    return (double)time.tv_sec + (double)time.tv_usec / 1e6;
}

static struct stretch now(void)
{
    struct rusage usage;
    (void)getrusage(RUSAGE_SELF, &usage);
    return (struct stretch){seconds_of(usage.ru_utime) + seconds_of(usage.ru_stime),
                            (double)clock_monotonic_ns() / 1e9};
}

static struct stretch since(struct stretch begin)
{
    struct stretch end = now();
    return (struct stretch){end.cpu_s - begin.cpu_s, end.wall_s - begin.wall_s};
}

static bool write_batch(void *context, struct profile *batch, struct error *err)
{
    uint64_t begin_ns = clock_thread_cpu_ns();
    bool ok = capture_file_batch(context, batch, err);
    writing_ns += clock_thread_cpu_ns() - begin_ns;
    return ok;
}

static double peak_mb(void)
{
    struct rusage usage;
    (void)getrusage(RUSAGE_SELF, &usage);
    return (double)usage.ru_maxrss / 1024;
}

static bool convert(const char *from, const char *to, struct error *err)
{
    uint64_t bytes = 0;
    struct stretch begin = now();
    struct capture_file *file = capture_file_create(to, err);
    struct profile_builder_options options = {.batch = write_batch, .batch_context = file};
    struct profile_builder *builder = profile_builder_create(&options);
    bool ok = file != NULL && builder != NULL && import_file(builder, from, NULL, err) &&
              profile_builder_flush(builder, err) &&
              capture_file_finish(file, profile_builder_profile(builder), &bytes, err);
    struct stretch took = since(begin);
    if (ok) {
        double text_mb = (double)profile_builder_profile(builder)->stats.byte_cnt / 1e6;
        printf("convert: %.3f s, %.0f MB/s of text (%.0f), %" PRIu64 " bytes, peak %.0f MB\n",
               took.cpu_s, text_mb / took.cpu_s, text_mb / took.wall_s, bytes, peak_mb());
    }
    capture_file_destroy(file);
    profile_builder_destroy(builder);
    return ok;
}

static uint64_t sum_of(const struct profile *profile, uint32_t metric)
{
    uint64_t sum = 0;
    for (int form = 0; form < PROFILE_FORM_CNT; form++) {
        const struct profile_column *column =
            profile_metric_column(profile, metric, (enum profile_form)form, NULL);
        for (uint64_t row = 0; column != NULL && row < profile->row_cnt; row++) {
            sum = sum * 3 + (uint64_t)profile_column_at(column, row);
        }
    }
    return sum;
}

static int compare(const struct profile *text, const char *path)
{
    struct error err = {0};
    struct stretch begin = now();
    struct profile *capture = capture_reader_open(path, 0, &err);
    double opened_ms = since(begin).cpu_s * 1e3;
    if (capture == NULL) {
        fprintf(stderr, "convert_speed: %s\n", err.detail);
        return 1;
    }
    begin = now();
    uint64_t sum = capture->metric_cnt == 0 ? 0 : sum_of(capture, 0);
    printf("open: %" PRIu64 " samples in %.1f ms, a metric in %.1f ms more; writing %.0f ns a "
           "sample\n",
           capture->row_cnt, opened_ms, since(begin).cpu_s * 1e3,
           (double)writing_ns / (double)capture->row_cnt);
    int differ = capture->row_cnt != text->row_cnt || capture->metric_cnt != text->metric_cnt;
    for (uint32_t i = 0; i < text->metric_cnt && !differ; i++) {
        differ = (i == 0 ? sum : sum_of(capture, i)) != sum_of(text, i);
    }
    printf("sums: %s\n", differ ? "DIFFER" : "equal");
    profile_destroy(capture);
    return differ;
}

int main(int argc, char **argv)
{
    struct error err = {0};
    if (argc != 3) {
        fprintf(stderr, "usage: convert_speed FILE CAPTURE\n");
        return 2;
    }
    if (!convert(argv[1], argv[2], &err)) {
        fprintf(stderr, "convert_speed: %s\n", err.detail);
        return 1;
    }
    struct stretch begin = now();
    struct profile *profile = import_profile(argv[1], 0, NULL, &err);
    struct stretch took = since(begin);
    if (profile == NULL) {
        fprintf(stderr, "convert_speed: %s\n", err.detail);
        return 1;
    }
    double text_mb = (double)profile->stats.byte_cnt / 1e6;
    printf("import: %.3f s, %.0f MB/s of text (%.0f), %" PRIu64 " samples, %.1f %% of the text in "
           "memory\n",
           took.cpu_s, text_mb / took.cpu_s, text_mb / took.wall_s, profile->row_cnt,
           100.0 * (double)profile_memory_bytes(profile) / (double)profile->stats.byte_cnt);
    int status = compare(profile, argv[2]);
    profile_destroy(profile);
    return status;
}
