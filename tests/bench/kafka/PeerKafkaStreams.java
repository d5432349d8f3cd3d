import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.time.Duration;
import java.util.Properties;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.common.utils.Bytes;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.kstream.Consumed;
import org.apache.kafka.streams.kstream.Grouped;
import org.apache.kafka.streams.kstream.Materialized;
import org.apache.kafka.streams.state.KeyValueStore;

/** The common work on Kafka Streams with one thread: an aggregate with its defaults (caching on, a commit every 100 ms). */
public final class PeerKafkaStreams {
  private static final ObjectMapper JSON = new ObjectMapper();
  private static final long EVENTS = Long.parseLong(System.getenv("BENCH_EVENTS"));
  private static final double SECONDS_MAX = Double.parseDouble(System.getenv("BENCH_SECONDS"));
  private static final CountDownLatch ENDED = new CountDownLatch(1);
  private static long began;
  private static long done;

  /** Runs on the one stream thread. */
  private static long add(long sum, byte[] value) {
    if (done == 0) {
      began = System.nanoTime();
    }
    try {
      long result = sum + JSON.readTree(value).get("qty").asLong();
      done++;
      double seconds = (System.nanoTime() - began) / 1e9;
      if (ENDED.getCount() > 0 && (done == EVENTS || seconds > SECONDS_MAX)) {
        System.out.println("{\"events\": " + done + ", \"seconds\": " + seconds + "}");
        ENDED.countDown();
      }
      return result;
    } catch (IOException error) {
      throw new UncheckedIOException(error);
    }
  }

  public static void main(String[] arguments) throws InterruptedException {
    Properties settings = new Properties();
    settings.put("application.id", "bench-streams-" + ProcessHandle.current().pid());
    settings.put("bootstrap.servers", System.getenv("BENCH_BROKER"));
    settings.put("processing.guarantee", System.getenv("BENCH_MODE"));
    settings.put("auto.offset.reset", "earliest");
    settings.put("num.stream.threads", "1");
    settings.put("state.dir", System.getenv("BENCH_FOLDER"));
    StreamsBuilder builder = new StreamsBuilder();
    builder.stream(System.getenv("BENCH_TOPIC"), Consumed.with(Serdes.String(), Serdes.ByteArray()))
        .groupByKey(Grouped.with(Serdes.String(), Serdes.ByteArray()))
        .aggregate(() -> 0L, (key, value, sum) -> add(sum, value),
            Materialized.<String, Long, KeyValueStore<Bytes, byte[]>>as("sums")
                .withKeySerde(Serdes.String()).withValueSerde(Serdes.Long()));
    KafkaStreams streams = new KafkaStreams(builder.build(), settings);
    streams.start();
    ENDED.await((long) SECONDS_MAX + 60, TimeUnit.SECONDS);
    streams.close(Duration.ofSeconds(10));
    System.exit(0);
  }
}
