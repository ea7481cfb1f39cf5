package payorch_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	payorch "payorch.internal/client"
)

func TestAmountIsUnitsAndNanosBothWays(t *testing.T) {
	for _, row := range []struct {
		text, canonical string
		units           int64
		nanos           int32
	}{
		{"100.10", "100.1", 100, 100_000_000},
		{"-0.5", "-0.5", 0, -500_000_000},
		{"+7", "7", 7, 0},
		{"7.", "7", 7, 0},
		{".000000001", "0.000000001", 0, 1},
		{"0.0000000010", "0.000000001", 0, 1},
		{"0", "0", 0, 0},
		{"1200", "1200", 1200, 0},
		{"9223372036854775807.999999999", "9223372036854775807.999999999", 1<<63 - 1, 999_999_999},
		{"-9223372036854775807", "-9223372036854775807", -(1<<63 - 1), 0},
	} {
		amount, err := payorch.Money(row.text, "EUR")
		if err != nil || amount.GetUnits() != row.units || amount.GetNanos() != row.nanos || amount.GetCurrencyCode() != "EUR" {
			t.Errorf("%s: %v, %v", row.text, amount, err)
		}
		if text := payorch.Decimal(amount); text != row.canonical {
			t.Errorf("%s: %s", row.text, text)
		}
	}
}

func TestAmountThatDoesNotFitIsNamed(t *testing.T) {
	for text, problem := range map[string]string{
		"0.0000000001":        `amount: "0.0000000001" has more than 9 decimals`,
		"9223372036854775808": `amount: "9223372036854775808" has more digits than fit`,
		"NaN":                 `amount: "NaN" is not a decimal number, such as 100.10`,
		"Inf":                 `amount: "Inf" is not a decimal number, such as 100.10`,
		"1e3":                 `amount: "1e3" is not a decimal number, such as 100.10`,
		"0x1":                 `amount: "0x1" is not a decimal number, such as 100.10`,
		"1_000":               `amount: "1_000" is not a decimal number, such as 100.10`,
		"1,5":                 `amount: "1,5" is not a decimal number, such as 100.10`,
		"١":                   `amount: "١" is not a decimal number, such as 100.10`,
		" 1":                  `amount: " 1" is not a decimal number, such as 100.10`,
		"":                    `amount: "" is not a decimal number, such as 100.10`,
		".":                   `amount: "." is not a decimal number, such as 100.10`,
		"1\n":                 `amount: "1\n" is not a decimal number, such as 100.10`,
	} {
		if _, err := payorch.Money(text, "USD"); !errors.Is(err, payorch.ErrArgument) || err.Error() != problem {
			t.Errorf("%q: %v", text, err)
		}
	}
	for _, currency := range []string{"usd", "US", "USDT", "", "U$D", "USD\n"} {
		if _, err := payorch.Money("1", currency); err == nil || !strings.HasPrefix(err.Error(), "currency: ") {
			t.Errorf("%q: %v", currency, err)
		}
	}
}

func TestApplePayTokenIsPassedOnAsItCame(t *testing.T) {
	for _, text := range []string{`{"data": "x",  "data": "y"}`, `{"paymentData":{"data":"x"}}`, `{}`, ` {"ü":1} `} {
		fromText, err := payorch.ApplePayToken(text)
		if err != nil || string(fromText) != text {
			t.Errorf("%s: %s, %v", text, fromText, err)
		}
		if fromJSON, err := payorch.ApplePayToken(json.RawMessage(text)); err != nil || string(fromJSON) != text {
			t.Errorf("%s: %s, %v", text, fromJSON, err)
		}
	}
}

func TestApplePayTokenThatIsNoneIsRefusedUnseen(t *testing.T) {
	for text, problem := range map[string]string{
		`{"secret": `:                 "token: it is not JSON",
		``:                            "token: it is not JSON",
		`"secret"`:                    "token: it is not a JSON object",
		`["secret"]`:                  "token: it is not a JSON object",
		`null`:                        "token: it is not a JSON object",
		`{"token":{"data":"secret"}}`: "token: this is the whole payment; pass its member `token`",
	} {
		if _, err := payorch.ApplePayToken(text); !errors.Is(err, payorch.ErrArgument) || err.Error() != problem {
			t.Errorf("%s: %v", text, err)
		}
	}
}
