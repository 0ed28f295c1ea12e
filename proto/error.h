/* proto/error.h -- Kafka's error codes: name, class, and what helps. */
#ifndef KWI_ERROR_H
#define KWI_ERROR_H
#include <kwire/types.h>

enum {
    KW_E_RETRIABLE = 1, /* the same request may succeed later */
    KW_E_METADATA = 2   /* ask for fresh metadata before */
};

/* What a client does about it, as far as the code alone decides. The API that
 * answered refines it (a commit that meets REBALANCE_IN_PROGRESS fails, a
 * heartbeat rejoins). */
enum kw_error_class {
    KW_EC_NONE,        /* no error, or as good as none */
    KW_EC_RETRY,       /* back off and send again */
    KW_EC_REFRESH,     /* refresh metadata, back off, send again */
    KW_EC_COORDINATOR, /* find the coordinator again */
    KW_EC_SESSION,     /* start the fetch or share session anew */
    KW_EC_POSITION,    /* the offset is not there: reset policy */
    KW_EC_MEMBER,      /* membership is stale: rejoin or take the new epoch */
    KW_EC_PRODUCER,    /* sequence or epoch trouble: the producer's state decides */
    KW_EC_ABORT,       /* the transaction must be aborted */
    KW_EC_SPLIT,       /* too large: split, or fail */
    KW_EC_FAIL,        /* this request or item fails; the client goes on */
    KW_EC_AUTH,        /* no right to it: report; other items go on */
    KW_EC_FATAL,       /* the producer, member or connection cannot go on */
    KW_EC_INTERNAL     /* between brokers only: a client should never see it */
};

struct kw_error_info {
    int16_t code;
    uint8_t flags;       /* KW_E_x */
    uint8_t error_class; /* enum kw_error_class */
    const char *name;    /* "NOT_LEADER_OR_FOLLOWER" */
    const char *remedy;  /* what a person can do, one line; "" for success */
};

enum {
    KW_E_UNKNOWN_SERVER_ERROR = -1,
    KW_E_NONE = 0,
    KW_E_OFFSET_OUT_OF_RANGE = 1,
    KW_E_CORRUPT_MESSAGE = 2,
    KW_E_UNKNOWN_TOPIC_OR_PARTITION = 3,
    KW_E_INVALID_FETCH_SIZE = 4,
    KW_E_LEADER_NOT_AVAILABLE = 5,
    KW_E_NOT_LEADER_OR_FOLLOWER = 6,
    KW_E_REQUEST_TIMED_OUT = 7,
    KW_E_REPLICA_NOT_AVAILABLE = 9,
    KW_E_MESSAGE_TOO_LARGE = 10,
    KW_E_OFFSET_METADATA_TOO_LARGE = 12,
    KW_E_COORDINATOR_LOAD_IN_PROGRESS = 14,
    KW_E_COORDINATOR_NOT_AVAILABLE = 15,
    KW_E_NOT_COORDINATOR = 16,
    KW_E_INVALID_TOPIC_EXCEPTION = 17,
    KW_E_RECORD_LIST_TOO_LARGE = 18,
    KW_E_NOT_ENOUGH_REPLICAS = 19,
    KW_E_NOT_ENOUGH_REPLICAS_AFTER_APPEND = 20,
    KW_E_INVALID_REQUIRED_ACKS = 21,
    KW_E_ILLEGAL_GENERATION = 22,
    KW_E_INCONSISTENT_GROUP_PROTOCOL = 23,
    KW_E_INVALID_GROUP_ID = 24,
    KW_E_UNKNOWN_MEMBER_ID = 25,
    KW_E_INVALID_SESSION_TIMEOUT = 26,
    KW_E_REBALANCE_IN_PROGRESS = 27,
    KW_E_TOPIC_AUTHORIZATION_FAILED = 29,
    KW_E_GROUP_AUTHORIZATION_FAILED = 30,
    KW_E_CLUSTER_AUTHORIZATION_FAILED = 31,
    KW_E_INVALID_TIMESTAMP = 32,
    KW_E_UNSUPPORTED_SASL_MECHANISM = 33,
    KW_E_ILLEGAL_SASL_STATE = 34,
    KW_E_UNSUPPORTED_VERSION = 35,
    KW_E_TOPIC_ALREADY_EXISTS = 36,
    KW_E_INVALID_PARTITIONS = 37,
    KW_E_INVALID_REPLICATION_FACTOR = 38,
    KW_E_INVALID_REPLICA_ASSIGNMENT = 39,
    KW_E_INVALID_CONFIG = 40,
    KW_E_NOT_CONTROLLER = 41,
    KW_E_INVALID_REQUEST = 42,
    KW_E_UNSUPPORTED_FOR_MESSAGE_FORMAT = 43,
    KW_E_OUT_OF_ORDER_SEQUENCE_NUMBER = 45,
    KW_E_DUPLICATE_SEQUENCE_NUMBER = 46,
    KW_E_INVALID_PRODUCER_EPOCH = 47,
    KW_E_INVALID_TXN_STATE = 48,
    KW_E_INVALID_PRODUCER_ID_MAPPING = 49,
    KW_E_INVALID_TRANSACTION_TIMEOUT = 50,
    KW_E_CONCURRENT_TRANSACTIONS = 51,
    KW_E_TRANSACTIONAL_ID_AUTHORIZATION_FAILED = 53,
    KW_E_OPERATION_NOT_ATTEMPTED = 55,
    KW_E_KAFKA_STORAGE_ERROR = 56,
    KW_E_SASL_AUTHENTICATION_FAILED = 58,
    KW_E_UNKNOWN_PRODUCER_ID = 59,
    KW_E_DELEGATION_TOKEN_AUTHORIZATION_FAILED = 65,
    KW_E_NON_EMPTY_GROUP = 68,
    KW_E_GROUP_ID_NOT_FOUND = 69,
    KW_E_FETCH_SESSION_ID_NOT_FOUND = 70,
    KW_E_INVALID_FETCH_SESSION_EPOCH = 71,
    KW_E_FENCED_LEADER_EPOCH = 74,
    KW_E_UNKNOWN_LEADER_EPOCH = 75,
    KW_E_UNSUPPORTED_COMPRESSION_TYPE = 76,
    KW_E_OFFSET_NOT_AVAILABLE = 78,
    KW_E_MEMBER_ID_REQUIRED = 79,
    KW_E_GROUP_MAX_SIZE_REACHED = 81,
    KW_E_FENCED_INSTANCE_ID = 82,
    KW_E_INVALID_RECORD = 87,
    KW_E_GROUP_SUBSCRIBED_TO_TOPIC = 86,
    KW_E_UNSTABLE_OFFSET_COMMIT = 88,
    KW_E_THROTTLING_QUOTA_EXCEEDED = 89,
    KW_E_PRODUCER_FENCED = 90,
    KW_E_UNKNOWN_TOPIC_ID = 100,
    KW_E_INCONSISTENT_TOPIC_ID = 103,
    KW_E_FETCH_SESSION_TOPIC_ID_ERROR = 106,
    KW_E_FENCED_MEMBER_EPOCH = 110,
    KW_E_UNRELEASED_INSTANCE_ID = 111,
    KW_E_UNSUPPORTED_ASSIGNOR = 112,
    KW_E_STALE_MEMBER_EPOCH = 113,
    KW_E_TRANSACTION_ABORTABLE = 120,
    KW_E_INVALID_REGULAR_EXPRESSION = 128,
    KW_E_REBOOTSTRAP_REQUIRED = 129
};

/* Never NULL: codes that are not in the table get the entry of an unknown code
 * (class FAIL, code as in UNKNOWN_SERVER_ERROR), because newer brokers may send
 * them. */
const struct kw_error_info *kwi_error_info(int16_t code);

#endif
