/*
 * Archives of jute records, by the names of Apache's C client. Licence: Apache-2.0.
 *
 * As in Apache's library only deallocate_String, deallocate_Buffer and zoo_htonll can be linked;
 * the rest is declared so that programs which name these types compile.
 */
#ifndef __RECORDIO_H__
#define __RECORDIO_H__

#include <stdint.h>
#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Bytes: len -1 is null. The bytes are libc's, from malloc. */
struct buffer {
    int32_t len;
    char *buff;
};

void deallocate_String(char **s);
void deallocate_Buffer(struct buffer *b);
void deallocate_vector(void *d);

/* Reads records; each function returns 0 or a negative errno. */
struct iarchive {
    int (*start_record)(struct iarchive *ia, const char *tag);
    int (*end_record)(struct iarchive *ia, const char *tag);
    int (*start_vector)(struct iarchive *ia, const char *tag, int32_t *count);
    int (*end_vector)(struct iarchive *ia, const char *tag);
    int (*deserialize_Bool)(struct iarchive *ia, const char *name, int32_t *value);
    int (*deserialize_Int)(struct iarchive *ia, const char *name, int32_t *value);
    int (*deserialize_Long)(struct iarchive *ia, const char *name, int64_t *value);
    int (*deserialize_Buffer)(struct iarchive *ia, const char *name, struct buffer *value);
    int (*deserialize_String)(struct iarchive *ia, const char *name, char **value);
    void *priv;
};

/* Writes records. */
struct oarchive {
    int (*start_record)(struct oarchive *oa, const char *tag);
    int (*end_record)(struct oarchive *oa, const char *tag);
    int (*start_vector)(struct oarchive *oa, const char *tag, const int32_t *count);
    int (*end_vector)(struct oarchive *oa, const char *tag);
    int (*serialize_Bool)(struct oarchive *oa, const char *name, const int32_t *value);
    int (*serialize_Int)(struct oarchive *oa, const char *name, const int32_t *value);
    int (*serialize_Long)(struct oarchive *oa, const char *name, const int64_t *value);
    int (*serialize_Buffer)(struct oarchive *oa, const char *name, const struct buffer *value);
    int (*serialize_String)(struct oarchive *oa, const char *name, char **value);
    void *priv;
};

struct oarchive *create_buffer_oarchive(void);
void close_buffer_oarchive(struct oarchive **oa, int free_buffer);
struct iarchive *create_buffer_iarchive(char *buffer, int len);
void close_buffer_iarchive(struct iarchive **ia);
char *get_buffer(struct oarchive *oa);
int get_buffer_len(struct oarchive *oa);

/* To network byte order. */
int64_t zoo_htonll(int64_t v);

#ifdef __cplusplus
}
#endif

#endif
