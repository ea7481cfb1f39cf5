package internal.payorch.testing;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;

/** What the package's page shows is so, and its copies are those of the project. */
class ReadmeTest {
  private static final Path TEST = Path.of("src/test/java/internal/payorch/testing/CheckoutTest.java");
  private static final Pattern BLOCK = Pattern.compile("^```java\\n(.*?)^```$", Pattern.MULTILINE | Pattern.DOTALL);

  private static List<String> blocks() throws IOException {
    return BLOCK.matcher(Files.readString(Path.of("../README.md"))).results().map(found -> found.group(1)).toList();
  }

  @Test
  void showsATestThatRuns() throws IOException {
    var source = Files.readString(TEST);
    var shown = source.substring(source.indexOf("class CheckoutTest"));

    assertTrue(blocks().contains(shown), shown);
  }

  @Test
  void showsATestOfFifteenLines() throws IOException {
    var source = Files.readString(TEST);

    assertTrue(source.substring(source.indexOf("class CheckoutTest")).lines().count() <= 15);
  }

  @Test
  void hasTheCatalogueOfTheProject() throws IOException {
    var copy = Path.of("src/main/resources/internal/payorch/testing/reasons.json");

    assertEquals(Files.readString(Path.of("../../reasons.json")), Files.readString(copy));
  }

  @Test
  void hasTheLicenceOfTheProject() throws IOException {
    assertEquals(Files.readString(Path.of("../../../LICENSE")), Files.readString(Path.of("../LICENSE")));
  }
}
