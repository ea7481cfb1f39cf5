package internal.payorch;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import com.google.type.Money;
import java.math.BigDecimal;
import java.math.BigInteger;
import java.math.RoundingMode;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Amounts go both ways exactly. */
class AmountsTest {
  @Test
  void surviveBothWays() {
    var random = new Random(1);
    for (var round = 0; round < 10_000; round++) {
      var exact = new BigDecimal(new BigInteger(80, random), random.nextInt(30) - 5);
      var amount = exact.setScale(9, RoundingMode.DOWN);
      if (amount.precision() - amount.scale() <= 18) {
        assertEquals(0, amount.compareTo(Amounts.decimalOf(Amounts.money(amount, "USD"))), amount.toString());
      }
    }
  }

  @ParameterizedTest
  @CsvSource({
    "100.10, 100, 100000000",
    "-0.5, 0, -500000000",
    "-1.5, -1, -500000000",
    "7, 7, 0",
    "1E3, 1000, 0",
    "0.0000000010, 0, 1",
    "0E999999, 0, 0",
    "9223372036854775807, 9223372036854775807, 0",
    "-9223372036854775808, -9223372036854775808, 0",
  })
  void areUnitsAndNanos(String amount, long units, int nanos) {
    var expected = Money.newBuilder().setCurrencyCode("EUR").setUnits(units).setNanos(nanos).build();

    assertEquals(expected, Amounts.money(amount, "EUR"));
  }

  @ParameterizedTest
  @CsvSource({
    "0.0000000001, amount: 1E-10 has more than 9 decimals",
    "NaN, amount: NaN is not a number",
    "9223372036854775808, amount: 9223372036854775808 has more digits than fit",
    "1e999999999, amount: 1E+999999999 has more digits than fit",
    "1e-999999999, amount: 1E-999999999 has more than 9 decimals",
    "ten, amount: ten is not a number",
    "'1,5', 'amount: 1,5 is not a number'",
    "'', amount:  is not a number",
  })
  void areRefusedByName(String amount, String problem) {
    var refused = assertThrows(IllegalArgumentException.class, () -> Amounts.money(amount, "USD"));

    assertEquals(problem, refused.getMessage());
  }

  @ParameterizedTest
  @ValueSource(strings = {"12.5", "100", "-0.000000001", "0", "-7.1", "9223372036854775807.999999999", "1200"})
  void haveNoNeedlessZeros(String text) {
    assertEquals(text, Amounts.decimalOf(Amounts.money(text, "USD")).toPlainString());
    assertEquals(new BigDecimal(text), Amounts.decimalOf(Amounts.money(text, "USD")));
  }

  @ParameterizedTest
  @ValueSource(strings = {"usd", "US", "USDT", "", "U$D"})
  void haveACurrencyThatIsACode(String currency) {
    var refused = assertThrows(IllegalArgumentException.class, () -> Amounts.money("1", currency));

    assertEquals(
        "currency: \"%s\" is not three capital letters, such as USD".formatted(currency), refused.getMessage());
  }
}
