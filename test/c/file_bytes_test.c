// SPDX-License-Identifier: Apache-2.0
#include "store/file_bytes.h"

#include "file_tree.h"

static struct error err;
static size_t len;

TEST(a_file_is_read_whole)
{
    make_file(test_dir(), "some", "all of it");
    make_file(test_dir(), "empty", "");
    unsigned char *bytes = file_bytes_read(path_of(test_dir(), "some"), &len, &err);
    CHECK(bytes != NULL);
    CHECK_UINT(len, 9);
    CHECK_MEM(bytes, "all of it", 9);
    free(bytes);
    bytes = file_bytes_read(path_of(test_dir(), "empty"), &len, &err);
    CHECK(bytes != NULL);
    CHECK_UINT(len, 0);
    free(bytes);
}

TEST(what_is_no_file_is_refused_by_name)
{
    CHECK(file_bytes_read(path_of(test_dir(), "none"), &len, &err) == NULL);
    CHECK_INT(err.code, ERROR_OS);
    CHECK_HAS(err.detail, "none: ");
    CHECK(file_bytes_read(test_dir(), &len, &err) == NULL);
    CHECK_INT(err.code, ERROR_BAD_ARGUMENT);
    CHECK_HAS(err.detail, "no regular file");
}
