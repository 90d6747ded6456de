// SPDX-License-Identifier: Apache-2.0
// Errors: a code, the errno behind it, one bounded line.
#include "base/error.h"

#include "base/log.h"
#include "test.h"

#include <errno.h>

static struct error none;

TEST(every_code_has_its_own_name)
{
    for (int a = 0; a < ERROR_CODE_CNT; a++) {
        const char *name = error_code_name((enum error_code)a);
        CHECK(name[0] != '\0');
        CHECK_UINT(strspn(name, "abcdefghijklmnopqrstuvwxyz_"), strlen(name)); // an atom
        for (int b = 0; b < a; b++) {
            CHECK(strcmp(name, error_code_name((enum error_code)b)) != 0);
        }
    }
    CHECK_STR(error_code_name(ERROR_NONE), "none");
    CHECK_STR(error_code_name(ERROR_CODE_CNT), "unknown");
    CHECK_STR(error_code_name((enum error_code) - 1), "unknown");
}

TEST(setting_an_error_is_false)
{
    struct error err = {0};
    CHECK(!error_set(&err, ERROR_LAYOUT, "field %s at %d", "heap", -1));
    CHECK_INT(err.code, ERROR_LAYOUT);
    CHECK_INT(err.sys_errno, 0);
    CHECK_STR(err.detail, "field heap at -1");
    CHECK(!error_set(NULL, ERROR_LAYOUT, "dropped"));
    CHECK(!error_os(NULL, ENOENT, "dropped"));
    CHECK(!error_context(NULL, "dropped"));
}

TEST(system_errors_keep_errno_and_get_their_codes)
{
    static const struct {
        int sys_errno;
        enum error_code code;
    } CASES[] = {{ENOSPC, ERROR_NO_SPACE},
                 {EDQUOT, ERROR_NO_SPACE},
                 {EPERM, ERROR_NOT_PERMITTED},
                 {EACCES, ERROR_NOT_PERMITTED},
                 {ENOMEM, ERROR_NO_MEMORY},
                 {ENOENT, ERROR_OS},
                 {EIO, ERROR_OS},
                 {0, ERROR_OS}};
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        struct error err = {0};
        char wanted[128];
        CHECK(!error_os(&err, CASES[i].sys_errno, "open %s", "x"));
        CHECK_INT(err.code, CASES[i].code);
        CHECK_INT(err.sys_errno, CASES[i].sys_errno);
        snprintf(wanted, sizeof wanted, "open x: %s", strerror(CASES[i].sys_errno));
        CHECK_STR(err.detail, wanted);
    }
}

TEST(an_unknown_errno_is_still_told)
{
    struct error err = {0};
    CHECK(!error_os(&err, 99999, "x"));
    CHECK_HAS(err.detail, "99999");
}

TEST(context_comes_first_and_keeps_the_rest)
{
    struct error err = {0};
    (void)error_os(&err, EACCES, "open %s", "/x");
    CHECK(!error_context(&err, "start %d", 3));
    CHECK(!error_context(&err, "outer"));
    CHECK_STR(err.detail, "outer: start 3: open /x: Permission denied");
    CHECK_INT(err.code, ERROR_NOT_PERMITTED);
    CHECK_INT(err.sys_errno, EACCES);
}

TEST(details_are_cut_not_overrun)
{
    char longer[3 * ERROR_DETAIL_BYTES];
    struct {
        struct error err;
        char behind[16];
    } place = {.behind = "untouched"};
    memset(longer, 'x', sizeof longer);
    longer[sizeof longer - 1] = '\0';
    (void)error_set(&place.err, ERROR_LIMIT, "%s", longer);
    CHECK_UINT(strlen(place.err.detail), ERROR_DETAIL_BYTES - 1);
    (void)error_os(&place.err, EIO, "%s", longer);
    CHECK_UINT(strlen(place.err.detail), ERROR_DETAIL_BYTES - 1);
    (void)error_context(&place.err, "%s", longer);
    (void)error_context(&place.err, "front");
    CHECK_UINT(strlen(place.err.detail), ERROR_DETAIL_BYTES - 1);
    CHECK_HAS(place.err.detail, "front: xxx");
    CHECK_STR(place.behind, "untouched");
}

TEST(an_error_may_be_told_about_itself)
{
    struct error err = {0};
    (void)error_set(&err, ERROR_OS, "inner");
    struct error copy = err;
    (void)error_context(&err, "%s", copy.detail);
    CHECK_STR(err.detail, "inner: inner");
    CHECK_INT(none.code, ERROR_NONE);
    CHECK_STR(none.detail, "");
}

// ---- log ------------------------------------------------------------------------------

static struct {
    unsigned cnt;
    enum log_level level;
    char line[1024];
} logged;

static void keep_line(void *context, enum log_level level, const char *line)
{
    CHECK(context == &logged);
    logged.cnt++;
    logged.level = level;
    snprintf(logged.line, sizeof logged.line, "%s", line);
}

TEST(messages_go_to_the_sink_up_to_its_level)
{
    char longer[2000];
    memset(longer, 'y', sizeof longer);
    longer[sizeof longer - 1] = '\0';
    log_error("nobody listens");
    log_set_sink(keep_line, &logged, LOG_LEVEL_INFO);
    log_debug("not this");
    CHECK_UINT(logged.cnt, 0);
    log_warn("file %s, %d", "a", 7);
    CHECK_UINT(logged.cnt, 1);
    CHECK_INT(logged.level, LOG_LEVEL_WARN);
    CHECK_STR(logged.line, "file a, 7");
    log_info("%s", longer);
    CHECK_UINT(logged.cnt, 2);
    CHECK(strlen(logged.line) >= 200 && strlen(logged.line) < 1000);
    log_set_sink(NULL, NULL, LOG_LEVEL_DEBUG);
    log_error("nobody listens");
    CHECK_UINT(logged.cnt, 2);
}
