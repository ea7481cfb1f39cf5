package internal.payorch;

import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;

/** What clients change in a gRPC service config. */
final class ServiceConfig {
  private static final String METHODS = "methodConfig";
  private static final Set<String> RETRIES = Set.of("retryPolicy", "hedgingPolicy");

  private ServiceConfig() {}

  /** Returns a config without its policies of retries, which are for a channel that nothing resends beside. */
  static Map<String, ?> withoutRetries(Map<String, ?> config) {
    var changed = new HashMap<String, Object>(config);
    if (config.get(METHODS) instanceof List<?> methods) {
      changed.put(METHODS, methods.stream().map(ServiceConfig::withoutRetriesOfMethod).toList());
    }
    return changed;
  }

  /** Returns the published config for the listener for operators, which reports no health. */
  static Map<String, ?> ofOperators() {
    return without(Payorch.SERVICE_CONFIG, Set.of("healthCheckConfig"));
  }

  private static Object withoutRetriesOfMethod(Object method) {
    return method instanceof Map<?, ?> members ? without(members, RETRIES) : method;
  }

  private static <K, V> Map<K, V> without(Map<K, V> members, Set<String> names) {
    return members.entrySet().stream()
        .filter(member -> !names.contains(member.getKey()))
        .collect(Collectors.toMap(Map.Entry::getKey, Map.Entry::getValue));
  }
}
