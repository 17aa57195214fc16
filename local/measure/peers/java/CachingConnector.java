package tidemark.peers;

import com.wepay.kafka.connect.bigquery.BigQuerySinkConnector;
import org.apache.kafka.connect.connector.Task;

/** The connector, with CachingTask as its task. */
public class CachingConnector extends BigQuerySinkConnector {
  @Override
  public Class<? extends Task> taskClass() {
    return CachingTask.class;
  }
}
