// SPDX-License-Identifier: Apache-2.0
#include "export/json_output.h"

void json_output_init(struct json_output *json, const struct byte_output *output, struct error *err)
{
    text_output_init(&json->text, output, err);
    json->needs_comma = false;
}

bool json_output_finish(struct json_output *json)
{
    text_output_char(&json->text, '\n');
    return text_output_finish(&json->text);
}

static void begin(struct json_output *json, const char *key)
{
    if (json->needs_comma) {
        text_output_char(&json->text, ',');
    }
    json->needs_comma = true;
    if (key != NULL) {
        text_output_json(&json->text, text_of(key));
        text_output_char(&json->text, ':');
    }
}

void json_output_open(struct json_output *json, const char *key, char bracket)
{
    begin(json, key);
    text_output_char(&json->text, bracket);
    json->needs_comma = false;
}

void json_output_close(struct json_output *json, char bracket)
{
    text_output_char(&json->text, bracket);
    json->needs_comma = true;
}

void json_output_text(struct json_output *json, const char *key, struct text value)
{
    begin(json, key);
    text_output_json(&json->text, value);
}

void json_output_i64(struct json_output *json, const char *key, int64_t value)
{
    begin(json, key);
    text_output_i64(&json->text, value);
}

void json_output_u64(struct json_output *json, const char *key, uint64_t value)
{
    begin(json, key);
    text_output_u64(&json->text, value);
}
