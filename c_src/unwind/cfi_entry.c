// SPDX-License-Identifier: Apache-2.0
#include "unwind/cfi_entry.h"

struct cfi_cursor cfi_open_entry(const struct cfi_section *section, size_t at, size_t *next_ret)
{
    struct cfi_cursor cursor = {section, at, section->len, true};
    uint64_t len = cfi_take_bytes(&cursor, 4);
    if (len == 0xFFFFFFFF) {
        len = cfi_take_bytes(&cursor, 8);
    }
    cursor.ok = cursor.ok && len >= 4 && len <= section->len - cursor.at;
    cursor.end = cursor.ok ? cursor.at + len : cursor.at;
    *next_ret = cursor.end;
    return cursor;
}

static bool parse_augmentation(struct cfi_cursor *cursor, const char *letters, struct cfi_cie *cie)
{
    if (letters[0] != 'z') {
        return letters[0] == '\0';
    }
    uint64_t len = cfi_take_uleb(cursor);
    if (!cursor->ok || len > cursor->end - cursor->at) {
        return false;
    }
    cie->has_augmentation_data = true;
    size_t end = cursor->at + len;
    for (const char *letter = letters + 1; *letter != '\0' && cursor->ok; letter++) {
        if (*letter == 'R') {
            cie->pointer_encoding = cfi_take_u8(cursor);
        } else if (*letter == 'P') {
            uint8_t encoding = cfi_take_u8(cursor);
            (void)cfi_take_pointer(cursor, encoding & 0x7F);
        } else if (*letter == 'L') {
            (void)cfi_take_u8(cursor);
        } else if (*letter == 'S') {
            cie->is_signal = true;
        } else {
            break; // its data is skipped with the rest
        }
    }
    cursor->at = end;
    return cursor->ok;
}

static bool parse_cie(const struct cfi_section *section, size_t at, struct cfi_cie *cie)
{
    size_t next;
    struct cfi_cursor cursor = cfi_open_entry(section, at, &next);
    char letters[8] = {0};
    *cie = (struct cfi_cie){0};
    uint64_t id = cfi_take_bytes(&cursor, 4);
    uint8_t version = cfi_take_u8(&cursor);
    for (size_t i = 0; cursor.ok && (letters[i] = (char)cfi_take_u8(&cursor)) != '\0';) {
        if (++i == sizeof letters - 1) {
            return false;
        }
    }
    cie->code_alignment = cfi_take_uleb(&cursor);
    cie->data_alignment = cfi_take_sleb(&cursor);
    cie->return_column = version == 1 ? cfi_take_u8(&cursor) : cfi_take_uleb(&cursor);
    bool ok = cursor.ok && id == 0 && (version == 1 || version == 3) &&
              cie->return_column == CFI_RETURN_COLUMN && parse_augmentation(&cursor, letters, cie);
    cie->at = at;
    cie->instructions = cursor.at;
    cie->end = ok ? cursor.end : 0;
    return ok;
}

static bool has_cie(const struct cfi_fde *fde, size_t at)
{
    return fde->cie.end != 0 && fde->cie.at == at;
}

bool cfi_parse_fde(const struct cfi_section *section, size_t at, struct cfi_fde *fde)
{
    size_t next;
    struct cfi_cursor cursor = cfi_open_entry(section, at, &next);
    size_t id_at = cursor.at;
    uint64_t back = cfi_take_bytes(&cursor, 4);
    if (!cursor.ok || back == 0 || back > id_at ||
        (!has_cie(fde, id_at - back) && !parse_cie(section, id_at - back, &fde->cie))) {
        return false;
    }
    fde->start = cfi_take_pointer(&cursor, fde->cie.pointer_encoding);
    fde->end = fde->start + cfi_take_pointer(&cursor, fde->cie.pointer_encoding & 0x0F);
    if (fde->cie.has_augmentation_data) {
        uint64_t len = cfi_take_uleb(&cursor);
        cursor.ok = cursor.ok && len <= cursor.end - cursor.at;
        cursor.at += cursor.ok ? len : 0;
    }
    fde->instructions = cursor.at;
    fde->instructions_end = cursor.end;
    return cursor.ok && fde->end > fde->start;
}
