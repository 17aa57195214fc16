package com.wepay.kafka.connect.bigquery.api;

import java.util.Map;
import org.apache.kafka.connect.data.Schema;
import org.apache.kafka.connect.sink.SinkRecord;

/** Where the connector gets schemas from. Only autoCreateTables and schema updates call it, and both are switched off. */
public interface SchemaRetriever {
  void configure(Map<String, String> properties);

  Schema retrieveKeySchema(SinkRecord record);

  Schema retrieveValueSchema(SinkRecord record);
}
