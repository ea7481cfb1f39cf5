package internal.payorch;

import com.google.type.Money;
import java.math.BigDecimal;
import java.math.RoundingMode;
import java.util.regex.Pattern;

/** Exact amounts. There is none of a {@code double}: 0.1 is not a tenth in one. */
public final class Amounts {
  private static final int NANOS = 9;
  private static final int MOST_DIGITS = 19;
  private static final Pattern CURRENCY = Pattern.compile("[A-Z]{3}");

  private Amounts() {}

  /**
   * {@return an amount as the contract takes it, exactly}
   *
   * @param amount a decimal number such as {@code 100.10}, with at most nine decimals
   * @param currency ISO 4217 code, such as {@code USD}
   * @throws IllegalArgumentException it is no number, does not fit, or the currency is no code
   */
  public static Money money(String amount, String currency) {
    try {
      return money(new BigDecimal(amount.strip()), currency);
    } catch (NumberFormatException e) {
      throw wrong(amount, "is not a number");
    }
  }

  /**
   * {@return an amount as the contract takes it, exactly}
   *
   * @param amount with at most nine decimals
   * @param currency ISO 4217 code, such as {@code USD}
   * @throws IllegalArgumentException it does not fit, or the currency is no code
   */
  public static Money money(BigDecimal amount, String currency) {
    if (!CURRENCY.matcher(currency).matches()) {
      throw new IllegalArgumentException(
          "currency: \"%s\" is not three capital letters, such as USD".formatted(ErrorText.printable(currency)));
    }
    // Before anything is computed that would be as long.
    if (amount.signum() != 0 && (long) amount.precision() - amount.scale() > MOST_DIGITS) {
      throw wrong(amount, "has more digits than fit");
    }
    var plain = amount.signum() == 0 ? BigDecimal.ZERO : amount.stripTrailingZeros();
    if (plain.scale() > NANOS) {
      throw wrong(amount, "has more than %d decimals".formatted(NANOS));
    }
    var units = plain.setScale(0, RoundingMode.DOWN);
    try {
      return Money.newBuilder()
          .setCurrencyCode(currency)
          .setUnits(units.longValueExact())
          .setNanos(plain.subtract(units).movePointRight(NANOS).intValueExact())
          .build();
    } catch (ArithmeticException e) {
      throw wrong(amount, "has more digits than fit");
    }
  }

  /**
   * {@return an amount exactly, without needless zeros after the point}
   *
   * @param amount as the contract has it
   */
  public static BigDecimal decimalOf(Money amount) {
    var exact = BigDecimal.valueOf(amount.getUnits()).add(BigDecimal.valueOf(amount.getNanos(), NANOS));
    var plain = exact.signum() == 0 ? BigDecimal.ZERO : exact.stripTrailingZeros();
    return plain.scale() < 0 ? plain.setScale(0) : plain;
  }

  private static IllegalArgumentException wrong(Object amount, String problem) {
    return new IllegalArgumentException("amount: %s %s".formatted(ErrorText.printable(amount.toString()), problem));
  }
}
