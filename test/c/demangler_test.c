// SPDX-License-Identifier: Apache-2.0
#include "symbols/system/demangler.h"

#include "test.h"

static struct demangler demangler;
static char shown[DEMANGLER_MAX_OUTPUT_BYTES + 1];

static const char *demangled(const char *mangled)
{
    struct text name = text_of(mangled);
    if (!demangler_demangle(&demangler, &name)) {
        CHECK(name.bytes == mangled);
        return "-";
    }
    memcpy(shown, name.bytes, name.len);
    shown[name.len] = '\0';
    return shown;
}

TEST(cxx_names_without_their_parameters)
{
    CHECK_STR(demangled("_ZN5shape4areaEv"), "shape::area");
    CHECK_STR(demangled("_ZNSt6vectorIiSaIiEE9push_backERKi"),
              "std::vector<int, std::allocator<int> >::push_back");
    CHECK_STR(demangled("_ZN5shapeC2Ei"), "shape::shape");
    CHECK_STR(demangled("_ZN5shape4areaEv.part.0"), "shape::area");
    CHECK_STR(demangled("_ZZ4mainENKUlvE_clEv"), "main::{lambda()#1}::operator()");
    CHECK_STR(demangled("__ZN5shape4areaEv"), "shape::area");
}

TEST(rust_names_of_both_kinds)
{
    CHECK_STR(demangled("_ZN4core3fmt9Formatter3pad17h0123456789abcdefE"),
              "core::fmt::Formatter::pad");
    CHECK_STR(demangled("_RNvC6_123foo3bar"), "123foo::bar");
    CHECK_STR(demangled("_RNvNtCs1234_7mycrate3foo3bar"), "mycrate::foo::bar");
    CHECK_STR(demangled("_RINvNtC3std3mem8align_ofjE"), "std::mem::align_of::<usize>");
}

TEST(what_is_not_mangled_stays)
{
    CHECK_STR(demangled("main"), "-");
    CHECK_STR(demangled(""), "-");
    CHECK_STR(demangled("_Z"), "-");
    CHECK_STR(demangled("_R"), "-");
    CHECK_STR(demangled("_Zwhatever"), "-");
    CHECK_STR(demangled("_ZN99999999999shapeE"), "-");
    CHECK_STR(demangled("_Read"), "-");
    CHECK_STR(demangled("_ZNSt6vectorIiSaIiEE9push_back"), "-"); // its end is missing
}

// Type k is t<type k-1, type k-1>: each prints twice what the one before does, and
// nobody could wait for the end.
static void make_bomb(char *to, size_t size, int doublings)
{
    size_t at = (size_t)snprintf(to, size, "_Z1fI1tI1aS1_E");
    for (int i = 0; i < doublings; i++) {
        char last = (char)('2' + i);
        at += (size_t)snprintf(to + at, size - at, "S0_IS%c_S%c_E", last, last);
    }
    (void)snprintf(to + at, size - at, "Evv");
}

TEST(a_name_that_grows_without_end_is_cut)
{
    char bomb[512];
    make_bomb(bomb, sizeof bomb, 3);
    CHECK_HAS(demangled(bomb), "t<t<a, a>, t<a, a> >");
    uint32_t cut_cnt = demangler.cut_cnt;
    char wide[DEMANGLER_MAX_INPUT_BYTES + 1] = "_Z1fI23a_type_of_a_longer_name";
    for (size_t at = strlen(wide); at < 512; at += 3) {
        memcpy(wide + at, "S0_", 4);
    }
    strcat(wide, "Evv");
    const char *name = demangled(wide);
    CHECK_UINT(strlen(name), DEMANGLER_MAX_OUTPUT_BYTES);
    CHECK_HAS(name, "f<a_type_of_a_longer_name, a_type_of_a_longer_name, ");
    CHECK_STR(name + DEMANGLER_MAX_OUTPUT_BYTES - 3, "...");
    CHECK_UINT(demangler.cut_cnt, cut_cnt + 1);
}

TEST(who_brings_too_many_of_them_gets_none)
{
    char wide[512] = "_Z1fI23a_type_of_a_longer_name";
    while (strlen(wide) < 480) {
        strcat(wide, "S0_");
    }
    strcat(wide, "Evv");
    for (int i = 0; i < 10000 && strcmp(demangled(wide), "-") != 0; i++) {
    }
    CHECK_STR(demangled(wide), "-");
    demangler.cut_cnt = 0;
    CHECK(strcmp(demangled(wide), "-") != 0);
}

TEST(a_name_that_is_too_long_stays)
{
    static char name[DEMANGLER_MAX_INPUT_BYTES + 32];
    (void)snprintf(name, sizeof name, "_ZN%dx", DEMANGLER_MAX_INPUT_BYTES);
    memset(name + strlen(name), 'y', DEMANGLER_MAX_INPUT_BYTES);
    CHECK_STR(demangled(name), "-");
}
