// SPDX-License-Identifier: Apache-2.0
#include "export/object_file.h"

// `BUILD-ID PATH`, "-" where there is none.
static bool read_fact(struct text value, struct text path, struct text *build_id)
{
    const char *blank = value.len == 0 ? NULL : memchr(value.bytes, ' ', value.len);
    if (blank == NULL) {
        return false;
    }
    uint32_t len = (uint32_t)(blank - value.bytes);
    if (!text_equal((struct text){blank + 1, value.len - len - 1}, path)) {
        return false;
    }
    *build_id = (struct text){value.bytes, len};
    return !text_equal(*build_id, TEXT("-"));
}

static struct text build_id_said(const struct profile *profile, struct text path)
{
    struct text build_id = {NULL, 0};
    for (uint32_t s = 0; s < profile->source_cnt; s++) {
        const struct profile_source *source = &profile->sources[s];
        for (uint32_t f = 0; f < source->fact_cnt; f++) {
            if (text_equal(profile_text(profile, source->facts[f].key), TEXT("mapping")) &&
                read_fact(profile_text(profile, source->facts[f].value), path, &build_id)) {
                return build_id;
            }
        }
    }
    return TEXT("");
}

struct object_file object_file_find(const struct profile *profile, string_id file)
{
    for (uint32_t i = 0; i < profile->mapping_cnt; i++) {
        const struct profile_mapping *mapping = &profile->mappings[i];
        if (mapping->file == file) {
            return (struct object_file){profile_text(profile, mapping->build_id), mapping->start,
                                        mapping->end, mapping->offset};
        }
    }
    return (struct object_file){.build_id = build_id_said(profile, profile_text(profile, file))};
}
