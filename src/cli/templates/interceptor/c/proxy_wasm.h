/* The part of the proxy-wasm ABI 0.2.1 that this interceptor uses. What else the gateway offers is declared the same way. */

#ifndef PROXY_WASM_H
#define PROXY_WASM_H

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define EXPORT(name) __attribute__((export_name(name)))
#define IMPORT(name) __attribute__((import_module("env"), import_name(name)))

/* Maps of fields, by number. */
#define REQUEST_HEADERS 0
#define RESPONSE_HEADERS 2
#define CALL_RESPONSE_HEADERS 6

/* Every function of the gateway answers with a status. */
#define STATUS_OK 0
#define STATUS_NOT_FOUND 1

IMPORT("proxy_log") uint32_t proxy_log(uint32_t level, const char *text, size_t length);
IMPORT("proxy_get_header_map_value")
uint32_t proxy_get_header_map_value(uint32_t map, const char *name, size_t name_length, char **value, size_t *length);
IMPORT("proxy_replace_header_map_value")
uint32_t proxy_replace_header_map_value(uint32_t map, const char *name, size_t name_length, const char *value, size_t length);
IMPORT("proxy_send_local_response")
uint32_t proxy_send_local_response(uint32_t status, const char *details, size_t details_length, const char *body, size_t body_length,
                                   const char *fields, size_t fields_length, int32_t grpc_status);

/* Tells the gateway which ABI this is. */
EXPORT("proxy_abi_version_0_2_1") void proxy_abi_version_0_2_1(void) {}

/* What the gateway hands over lies in memory from here; whoever gets it frees it. */
EXPORT("proxy_on_memory_allocate") void *proxy_on_memory_allocate(size_t size) { return malloc(size); }

static inline int has_field(uint32_t map, const char *name) {
    char *value = NULL;
    size_t length = 0;
    uint32_t status = proxy_get_header_map_value(map, name, strlen(name), &value, &length);
    free(value);
    return status == STATUS_OK;
}

static inline void set_field(uint32_t map, const char *name, const char *value) {
    proxy_replace_header_map_value(map, name, strlen(name), value, strlen(value));
}

/* Answers the client with one field. Fields cross over as: their number, both lengths of each, then name, 0, value, 0 of each. */
static inline void answer(uint32_t status, const char *name, const char *value, const char *body) {
    uint32_t head[3] = {1, (uint32_t)strlen(name), (uint32_t)strlen(value)};
    size_t length = sizeof head + head[1] + 1 + head[2] + 1;
    char *fields = malloc(length);
    if (fields == NULL) {
        __builtin_trap();
    }
    memcpy(fields, head, sizeof head);
    memcpy(fields + sizeof head, name, head[1] + 1);
    memcpy(fields + sizeof head + head[1] + 1, value, head[2] + 1);
    proxy_send_local_response(status, "", 0, body, strlen(body), fields, length, -1);
    free(fields);
}

#endif
