/* covers: B07
 * The table of Kafka's error codes. */
#include <criterion/criterion.h>

#include "proto/error.h"

Test(error, the_table_has_every_code_from_minus_1_to_136)
{
    for (int code = -1; code <= 136; code++) {
        const struct kw_error_info *info = kwi_error_info((int16_t)code);
        cr_expect_eq(info->code, code);
        cr_expect(info->name && info->name[0], "%d", code);
        cr_expect(code == 0 || info->remedy[0], "%d", code);
        for (int other = -1; other < code; other++)
            cr_expect_str_neq(info->name, kwi_error_info((int16_t)other)->name, "%d", code);
    }
}

Test(error, known_codes_have_their_names_and_flags)
{
    static const struct {
        int16_t code;
        const char *name;
        int flags, error_class;
    } cases[] = {
        {KW_E_NONE, "NONE", 0, KW_EC_NONE},
        {KW_E_UNKNOWN_SERVER_ERROR, "UNKNOWN_SERVER_ERROR", 0, KW_EC_FAIL},
        {KW_E_OFFSET_OUT_OF_RANGE, "OFFSET_OUT_OF_RANGE", 0, KW_EC_POSITION},
        {KW_E_CORRUPT_MESSAGE, "CORRUPT_MESSAGE", KW_E_RETRIABLE, KW_EC_RETRY},
        {KW_E_UNKNOWN_TOPIC_OR_PARTITION, "UNKNOWN_TOPIC_OR_PARTITION",
         KW_E_RETRIABLE | KW_E_METADATA, KW_EC_REFRESH},
        {KW_E_NOT_LEADER_OR_FOLLOWER, "NOT_LEADER_OR_FOLLOWER", KW_E_RETRIABLE | KW_E_METADATA,
         KW_EC_REFRESH},
        {KW_E_REQUEST_TIMED_OUT, "REQUEST_TIMED_OUT", KW_E_RETRIABLE, KW_EC_RETRY},
        {KW_E_MESSAGE_TOO_LARGE, "MESSAGE_TOO_LARGE", 0, KW_EC_SPLIT},
        {KW_E_NOT_COORDINATOR, "NOT_COORDINATOR", KW_E_RETRIABLE, KW_EC_COORDINATOR},
        {KW_E_NOT_ENOUGH_REPLICAS_AFTER_APPEND, "NOT_ENOUGH_REPLICAS_AFTER_APPEND", KW_E_RETRIABLE,
         KW_EC_RETRY},
        {KW_E_TOPIC_AUTHORIZATION_FAILED, "TOPIC_AUTHORIZATION_FAILED", 0, KW_EC_AUTH},
        {KW_E_UNSUPPORTED_VERSION, "UNSUPPORTED_VERSION", 0, KW_EC_FAIL},
        {KW_E_TOPIC_ALREADY_EXISTS, "TOPIC_ALREADY_EXISTS", 0, KW_EC_FAIL},
        {KW_E_NOT_CONTROLLER, "NOT_CONTROLLER", KW_E_RETRIABLE, KW_EC_REFRESH},
        {KW_E_OUT_OF_ORDER_SEQUENCE_NUMBER, "OUT_OF_ORDER_SEQUENCE_NUMBER", 0, KW_EC_PRODUCER},
        {KW_E_DUPLICATE_SEQUENCE_NUMBER, "DUPLICATE_SEQUENCE_NUMBER", 0, KW_EC_NONE},
        {KW_E_INVALID_PRODUCER_EPOCH, "INVALID_PRODUCER_EPOCH", 0, KW_EC_PRODUCER},
        {KW_E_KAFKA_STORAGE_ERROR, "KAFKA_STORAGE_ERROR", KW_E_RETRIABLE | KW_E_METADATA,
         KW_EC_REFRESH},
        {KW_E_UNKNOWN_PRODUCER_ID, "UNKNOWN_PRODUCER_ID", 0, KW_EC_PRODUCER},
        {KW_E_FETCH_SESSION_ID_NOT_FOUND, "FETCH_SESSION_ID_NOT_FOUND", KW_E_RETRIABLE,
         KW_EC_SESSION},
        {KW_E_FENCED_LEADER_EPOCH, "FENCED_LEADER_EPOCH", KW_E_RETRIABLE | KW_E_METADATA,
         KW_EC_REFRESH},
        {KW_E_INVALID_RECORD, "INVALID_RECORD", 0, KW_EC_FAIL},
        {KW_E_PRODUCER_FENCED, "PRODUCER_FENCED", 0, KW_EC_FATAL},
        {KW_E_UNKNOWN_TOPIC_ID, "UNKNOWN_TOPIC_ID", KW_E_RETRIABLE | KW_E_METADATA, KW_EC_REFRESH},
        {KW_E_REBOOTSTRAP_REQUIRED, "REBOOTSTRAP_REQUIRED", 0, KW_EC_REFRESH},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const struct kw_error_info *info = kwi_error_info(cases[i].code);
        cr_expect_str_eq(info->name, cases[i].name);
        cr_expect_str_eq(kw_kafka_error_name(cases[i].code), cases[i].name);
        cr_expect_eq(info->flags, cases[i].flags, "%s", info->name);
        cr_expect_eq(info->error_class, cases[i].error_class, "%s", info->name);
    }
}

Test(error, a_code_of_a_newer_broker_fails_without_a_retry)
{
    static const int16_t codes[] = {-2, 137, 32767, -32768};
    for (int i = 0; i < 4; i++) {
        const struct kw_error_info *info = kwi_error_info(codes[i]);
        cr_expect_eq(info->error_class, KW_EC_FAIL);
        cr_expect_eq(info->flags, 0);
        cr_expect_str_eq(kw_kafka_error_name(codes[i]), "UNKNOWN_ERROR_CODE");
    }
}

Test(error, every_class_that_repeats_the_request_is_marked_retriable)
{
    /* Exceptions: Kafka marks these not retriable, a client still tries again. */
    static const int16_t others[] = {8, 55, 117, 129};
    for (int16_t code = 1; code <= 136; code++) {
        const struct kw_error_info *info = kwi_error_info(code);
        bool again = info->error_class >= KW_EC_RETRY && info->error_class <= KW_EC_SESSION;
        bool exception = false;
        for (int i = 0; i < 4; i++)
            exception |= code == others[i];
        if (again && !exception)
            cr_expect(info->flags & KW_E_RETRIABLE, "%s", info->name);
    }
}
