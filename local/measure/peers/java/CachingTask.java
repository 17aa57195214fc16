package tidemark.peers;

import com.google.auth.oauth2.GoogleCredentials;
import com.google.cloud.bigquery.BigQuery;
import com.google.cloud.bigquery.BigQueryOptions;
import com.wepay.kafka.connect.bigquery.BigQuerySinkTask;
import java.io.FileInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Proxy;
import java.util.concurrent.ConcurrentHashMap;

/**
 * The connector's task, without a fault of the only version on Maven Central: before every record it makes a new BigQuery
 * client, fetches a new token with it, and asks whether the table exists. Here it has one client, which remembers the answer.
 */
public class CachingTask extends BigQuerySinkTask {
  public CachingTask() {
    super(remembering(connect()), null, null, null);
  }

  private static BigQuery connect() {
    try (InputStream key = new FileInputStream(System.getProperty("peers.keyfile"))) {
      return BigQueryOptions.newBuilder().setProjectId(System.getProperty("peers.project"))
          .setCredentials(GoogleCredentials.fromStream(key)).build().getService();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static BigQuery remembering(BigQuery client) {
    ConcurrentHashMap<Object, Object> tables = new ConcurrentHashMap<>();
    return (BigQuery) Proxy.newProxyInstance(BigQuery.class.getClassLoader(), new Class<?>[] {BigQuery.class}, (self, method, args) -> {
      boolean lookup = method.getName().equals("getTable") && args.length == 2;
      if (lookup && tables.containsKey(args[0])) {
        return tables.get(args[0]);
      }
      try {
        Object result = method.invoke(client, args);
        if (lookup && result != null) {
          tables.put(args[0], result);
        }
        return result;
      } catch (InvocationTargetException e) {
        throw e.getCause();
      }
    });
  }
}
