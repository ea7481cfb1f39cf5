package internal.payorch;

import io.grpc.NameResolverRegistry;
import java.util.Locale;
import java.util.Set;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/** Which targets a client accepts. What is wrong with one is found before anything is sent. */
final class Target {
  /** Those of gRPC that have no slashes; grpc-java has resolvers for some. */
  private static final Set<String> SCHEMES = Set.of("dns", "ipv4", "ipv6", "unix", "unix-abstract", "vsock", "xds");
  private static final Set<String> LOOPBACK = Set.of("127.0.0.1", "localhost", "[::1]");
  private static final Pattern PORT = Pattern.compile("[0-9]{1,9}");
  private static final int MOST_PORT = 65_535;

  private Target() {}

  /**
   * Returns a target that gRPC resolves to every address of a name, so that round robin has something to choose from.
   *
   * @param target {@code host:port}, or a target of gRPC with its scheme, which is left as it is
   * @throws IllegalArgumentException it is no target
   */
  static String resolved(String target) {
    if (target.isEmpty()) {
      throw new IllegalArgumentException("target: it is empty; write host:port, such as payorch:50051");
    }
    if (target.contains(" ") || !ErrorText.printable(target).equals(target)) {
      throw wrong(target, "contains blanks or control characters");
    }
    var scheme = scheme(target);
    if (Set.of("http", "https").contains(scheme)) {
      throw wrong(target, "is the address of a web page; write host:port");
    }
    var rest = target.substring(target.indexOf(':') + 1);
    // A host may have the name of a scheme: `dns:50051`.
    if (rest.startsWith("//") || SCHEMES.contains(scheme) && !isNumber(rest)) {
      requireResolver(target, scheme);
      return target;
    }
    requireHostAndPort(target);
    return "dns:///" + target;
  }

  /** Returns whether everything that is sent to a target, as {@link #resolved} returns it, stays on this machine. */
  static boolean isOnThisMachine(String resolved) {
    var scheme = scheme(resolved);
    if (Set.of("unix", "unix-abstract").contains(scheme)) {
      return true;
    }
    var named = Set.of("dns", "ipv4", "ipv6").contains(scheme);
    var rest = named ? resolved.substring(scheme.length() + 1) : resolved;
    var addresses = rest.startsWith("///") ? rest.substring("///".length()) : rest;
    return Stream.of(addresses.split(",", -1))
        .map(address -> address.substring(0, Math.max(0, address.lastIndexOf(':'))))
        .allMatch(LOOPBACK::contains);
  }

  private static void requireResolver(String target, String scheme) {
    if (NameResolverRegistry.getDefaultRegistry().getProviderForScheme(scheme) == null) {
      throw wrong(target, "has a scheme without a resolver in this process; write host:port");
    }
  }

  private static void requireHostAndPort(String target) {
    var colon = target.lastIndexOf(':');
    var port = target.substring(colon + 1);
    if (colon <= 0) {
      throw wrong(target, "needs a host and a port, such as payorch:50051");
    }
    var host = target.substring(0, colon);
    if (host.contains(":") && !(host.startsWith("[") && host.endsWith("]"))) {
      throw wrong(target, "needs brackets around its IPv6 address, such as [::1]:50051");
    }
    if (host.contains("/") || host.contains("@")) {
      throw wrong(target, "is more than host:port");
    }
    if (!isNumber(port) || Integer.parseInt(port) < 1 || Integer.parseInt(port) > MOST_PORT) {
      throw wrong(target, "needs a port from 1 to " + MOST_PORT);
    }
  }

  private static String scheme(String target) {
    return target.contains(":") ? target.substring(0, target.indexOf(':')).toLowerCase(Locale.ROOT) : "";
  }

  private static boolean isNumber(String text) {
    return PORT.matcher(text).matches();
  }

  private static IllegalArgumentException wrong(String target, String problem) {
    return new IllegalArgumentException("target: \"%s\" %s".formatted(ErrorText.printable(target), problem));
  }
}
