package com.wepay.kafka.connect.bigquery.api;

/** The part of a record that a schema is of. */
public enum KafkaSchemaRecordType { KEY, VALUE }
