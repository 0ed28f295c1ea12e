#!/usr/bin/env bash
# kw topics and kw meta.
. "$(dirname "$0")/lib.sh"
start_broker --brokers 2 --no-auto-create

run "create" 0 "$kw" topics create -b "$B" -t orders --partitions 3 --replication 2
says "it is said" 'orders created'
run "create it again" 1 "$kw" topics create -b "$B" -t orders
says "why not" 'orders.*TOPIC_ALREADY_EXISTS'
run "create two, one of them there" 1 "$kw" topics create -b "$B" -t orders -t users --config retention.bytes=100000
says "the other one is made" 'users created'
run "a bad name" 1 "$kw" topics create -b "$B" -t 'no/slash'
says "the name is refused" 'INVALID_TOPIC|name'
run "more replicas than brokers" 1 "$kw" topics create -b "$B" -t wide --replication 7
says "the reason" 'INVALID_REPLICATION_FACTOR'
run "list" 0 "$kw" topics list -b "$B"
prints "the names" 'orders\nusers\n'
run "describe" 0 "$kw" topics describe -b "$B" -t orders
true_that "three partitions with leader and replicas" \
    [ "$(grep -Ec 'partition [012]: leader [0-9]+, epoch [0-9]+, replicas [0-9,]+, in sync [0-9,]+$' "$out")" = 3 ]
run "describe one that is not there" 1 "$kw" topics describe -b "$B" -t nowhere
says "it is unknown" 'UNKNOWN_TOPIC_OR_PARTITION'
run "meta" 0 "$kw" meta -b "$B"
true_that "two brokers" [ "$(grep -c '^broker ' "$out")" = 2 ]
true_that "both topics" [ "$(grep -c '^topic ' "$out")" = 2 ]
run "meta -J" 0 "$kw" meta -b "$B" -J
true_that "one line of JSON" [ "$(wc -l <"$out")" = 1 ]
true_that "with brokers, topics, partitions" grep -Eq \
    '^\{"cluster_id":"[^"]+","controller_id":[0-9]+,"origin_id":-?[0-9]+,"brokers":\[\{"id":.*"topics":\[\{"name":"orders","internal":false,"error":null,"partitions":\[\{"id":0,"leader":' "$out"
run "meta of one topic" 0 "$kw" meta -b "$B" -t users
true_that "only that topic" [ "$(grep -c '^topic ' "$out")" = 1 ]
run "meta of a topic that is not there" 1 "$kw" meta -b "$B" -t nowhere
run "produce to a topic that is not there" 1 "$kw" produce -b "$B" -t nowhere --timeout 10000 <<<x
says "it is unknown, and what to do" 'nowhere.*UNKNOWN_TOPIC_OR_PARTITION'
run "consume from a topic that is not there" 1 "$kw" consume -b "$B" -t nowhere -e
says "it is unknown" 'nowhere.*UNKNOWN_TOPIC_OR_PARTITION'
run "delete" 0 "$kw" topics delete -b "$B" -t users
run "delete what is gone" 1 "$kw" topics delete -b "$B" -t users
says "it is unknown" 'UNKNOWN_TOPIC_OR_PARTITION'
run "list after delete" 0 "$kw" topics list -b "$B"
prints "one is left" 'orders\n'
done_testing
