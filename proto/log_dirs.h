/* proto/log_dirs.h -- AlterReplicaLogDirs (34) and DescribeLogDirs (35). */
#ifndef KWI_LOG_DIRS_H
#define KWI_LOG_DIRS_H
#include "proto/schema.h"

struct kw_alter_replica_log_dirs_request_topic {
    struct kw_str name;
    struct kw_arr partitions; /* of int32_t */
};
struct kw_alter_replica_log_dirs_request_dir {
    struct kw_str path;   /* absolute, as in the broker's log.dirs */
    struct kw_arr topics; /* of kw_alter_replica_log_dirs_request_topic */
};
struct kw_alter_replica_log_dirs_request {
    struct kw_arr dirs; /* of kw_alter_replica_log_dirs_request_dir */
};

struct kw_alter_replica_log_dirs_response_partition {
    int32_t partition_index;
    int16_t error_code;
};
struct kw_alter_replica_log_dirs_response_topic {
    struct kw_str topic_name;
    struct kw_arr partitions; /* of kw_alter_replica_log_dirs_response_partition */
};
struct kw_alter_replica_log_dirs_response {
    int32_t throttle_time_ms;
    struct kw_arr results; /* of kw_alter_replica_log_dirs_response_topic */
};
KWI_API(alter_replica_log_dirs)

struct kw_describe_log_dirs_request_topic {
    struct kw_str topic;
    struct kw_arr partitions; /* of int32_t */
};
struct kw_describe_log_dirs_request {
    struct kw_arr topics; /* of kw_describe_log_dirs_request_topic; null: all */
};

struct kw_describe_log_dirs_response_partition {
    int32_t partition_index;
    int64_t partition_size; /* bytes */
    int64_t offset_lag;     /* behind the high watermark, or behind the present replica */
    bool is_future_key;     /* on its way to this directory */
};
struct kw_describe_log_dirs_response_topic {
    struct kw_str name;
    struct kw_arr partitions; /* of kw_describe_log_dirs_response_partition */
};
struct kw_describe_log_dirs_response_result {
    int16_t error_code;
    struct kw_str log_dir;
    struct kw_arr topics;              /* of kw_describe_log_dirs_response_topic */
    int64_t total_bytes, usable_bytes; /* v4+; of the volume; -1 unknown */
    bool is_cordoned;                  /* v5+; takes no new replicas */
};
struct kw_describe_log_dirs_response {
    int32_t throttle_time_ms;
    int16_t error_code;    /* v3+ */
    struct kw_arr results; /* of kw_describe_log_dirs_response_result */
};
KWI_API(describe_log_dirs)

KWI_PARTS(alter_replica_log_dirs_request_topic, alter_replica_log_dirs_request_dir)
KWI_PARTS(alter_replica_log_dirs_response_partition, alter_replica_log_dirs_response_topic)
KWI_PARTS(describe_log_dirs_request_topic, describe_log_dirs_response_partition)
KWI_PARTS(describe_log_dirs_response_topic, describe_log_dirs_response_result)

#endif
