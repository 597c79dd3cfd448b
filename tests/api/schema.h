// SPDX-License-Identifier: MIT
// A JSON document against a JSON Schema (draft 07), for tests: type, const, enum, required, properties, additionalProperties false, items
// (one schema), minItems, maxItems, minimum, anyOf, and $ref to #/definitions. Any other keyword that would restrict is refused.
#pragma once
#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static char schema_error[512]; // the first one
static inline bool schema_fail(const char *where, const char *what)
{
    if (!*schema_error) snprintf(schema_error, sizeof schema_error, "%s: %s", where, what);
    return false;
}

static inline bool schema_is(const cJSON *v, const char *type)
{
    if (!strcmp(type, "integer")) return cJSON_IsNumber(v) && v->valuedouble == (double) (long long) v->valuedouble;
    return (!strcmp(type, "object") && cJSON_IsObject(v)) || (!strcmp(type, "array") && cJSON_IsArray(v)) || (!strcmp(type, "string") && cJSON_IsString(v)) ||
           (!strcmp(type, "number") && cJSON_IsNumber(v)) || (!strcmp(type, "boolean") && cJSON_IsBool(v)) || (!strcmp(type, "null") && cJSON_IsNull(v));
}

static inline bool schema_check(const cJSON *root, const cJSON *s, const cJSON *v, const char *where);

static inline bool schema_any(const cJSON *root, const cJSON *list, const cJSON *v, const char *where)
{
    char before[sizeof schema_error];
    const cJSON *s;
    memcpy(before, schema_error, sizeof before);
    cJSON_ArrayForEach(s, list) {
        if (schema_check(root, s, v, where)) return memcpy(schema_error, before, sizeof before), true;
    }
    return false; // with the text of what fitted none of them
}

static inline bool schema_object(const cJSON *root, const cJSON *s, const cJSON *v, const char *where)
{
    const cJSON *e, *properties = cJSON_GetObjectItemCaseSensitive(s, "properties"), *more = cJSON_GetObjectItemCaseSensitive(s, "additionalProperties");
    char path[256];
    cJSON_ArrayForEach(e, cJSON_GetObjectItemCaseSensitive(s, "required")) {
        if (!cJSON_HasObjectItem(v, e->valuestring)) return schema_fail(where, e->valuestring) && false;
    }
    cJSON_ArrayForEach(e, v) {
        const cJSON *p = cJSON_GetObjectItemCaseSensitive(properties, e->string);
        snprintf(path, sizeof path, "%.180s.%.60s", where, e->string);
        if (!p && cJSON_IsFalse(more)) return schema_fail(path, "is not in the schema");
        if (p && !schema_check(root, p, e, path)) return false;
    }
    return true;
}

static inline bool schema_array(const cJSON *root, const cJSON *s, const cJSON *v, const char *where)
{
    const cJSON *e, *items = cJSON_GetObjectItemCaseSensitive(s, "items"), *least = cJSON_GetObjectItemCaseSensitive(s, "minItems"),
                *most = cJSON_GetObjectItemCaseSensitive(s, "maxItems");
    char path[256];
    int i = 0;
    if (least && cJSON_GetArraySize(v) < least->valueint) return schema_fail(where, "has too few items");
    if (most && cJSON_GetArraySize(v) > most->valueint) return schema_fail(where, "has too many items");
    cJSON_ArrayForEach(e, v) {
        snprintf(path, sizeof path, "%.200s[%d]", where, i++);
        if (items && !schema_check(root, items, e, path)) return false;
    }
    return true;
}

static inline bool schema_known(const cJSON *s, const char *where)
{
    static const char *const known[] = { "$schema", "title", "description", "definitions", "type", "const", "enum", "required", "properties", "additionalProperties",
                                         "items", "minItems", "maxItems", "minimum", "anyOf", "$ref", NULL };
    const cJSON *e;
    cJSON_ArrayForEach(e, s) {
        int k = 0;
        while (known[k] && strcmp(known[k], e->string)) k++;
        if (!known[k]) return schema_fail(where, e->string);
    }
    return true;
}

static inline bool schema_check(const cJSON *root, const cJSON *s, const cJSON *v, const char *where)
{
    const cJSON *e, *type = cJSON_GetObjectItemCaseSensitive(s, "type"), *ref = cJSON_GetObjectItemCaseSensitive(s, "$ref"),
                *value = cJSON_GetObjectItemCaseSensitive(s, "const"), *list = cJSON_GetObjectItemCaseSensitive(s, "enum"),
                *least = cJSON_GetObjectItemCaseSensitive(s, "minimum"), *any = cJSON_GetObjectItemCaseSensitive(s, "anyOf");
    if (!schema_known(s, where)) return false;
    if (ref) {
        const cJSON *to = cJSON_GetObjectItemCaseSensitive(cJSON_GetObjectItemCaseSensitive(root, "definitions"), ref->valuestring + strlen("#/definitions/"));
        return to ? schema_check(root, to, v, where) : schema_fail(where, ref->valuestring);
    }
    bool fits = !type || (cJSON_IsString(type) && schema_is(v, type->valuestring));
    if (cJSON_IsArray(type)) cJSON_ArrayForEach(e, type) fits |= schema_is(v, e->valuestring);
    if (!fits) return schema_fail(where, "is of another type");
    if (value && !cJSON_Compare(value, v, true)) return schema_fail(where, "is another constant");
    fits = !list;
    cJSON_ArrayForEach(e, list) fits |= cJSON_Compare(e, v, true);
    if (!fits) return schema_fail(where, "is none of the words");
    if (least && cJSON_IsNumber(v) && v->valuedouble < least->valuedouble) return schema_fail(where, "is too small");
    if (any && !schema_any(root, any, v, where)) return false;
    if (cJSON_IsObject(v)) return schema_object(root, s, v, where);
    return !cJSON_IsArray(v) || schema_array(root, s, v, where);
}
