package payorch

import (
	"encoding/json"
	"math/big"
	"regexp"
	"strconv"
	"strings"

	"google.golang.org/genproto/googleapis/type/money"
)

const decimals = 9

var (
	decimalForm  = regexp.MustCompile(`^([+-]?)(\d*)(?:\.(\d*))?$`)
	currencyForm = regexp.MustCompile(`^[A-Z]{3}$`)
)

// Money returns an amount as the contract takes it, exactly. The amount is decimal text with at most nine decimals, such
// as 100.10; the currency is an ISO 4217 code, such as USD. The error is [ErrArgument].
func Money(amount, currency string) (*money.Money, error) {
	if !currencyForm.MatchString(currency) {
		return nil, argument("currency: %q is not three capital letters, such as USD", currency)
	}
	parts := decimalForm.FindStringSubmatch(amount)
	if parts == nil || parts[2]+parts[3] == "" {
		return nil, argument("amount: %q is not a decimal number, such as 100.10", amount)
	}
	fraction := strings.TrimRight(parts[3], "0")
	if len(fraction) > decimals {
		return nil, argument("amount: %q has more than %d decimals", amount, decimals)
	}
	units, err := strconv.ParseInt("0"+parts[2], 10, 64)
	if err != nil {
		return nil, argument("amount: %q has more digits than fit", amount)
	}
	nanos, _ := strconv.ParseInt((fraction + "000000000")[:decimals], 10, 32) // nine digits
	if parts[1] == "-" {
		units, nanos = -units, -nanos
	}
	return &money.Money{CurrencyCode: currency, Units: units, Nanos: int32(nanos)}, nil
}

// Decimal returns an amount as exact decimal text, without needless zeros after the point.
func Decimal(amount *money.Money) string {
	scaled := new(big.Int).Mul(big.NewInt(amount.GetUnits()), big.NewInt(1e9))
	scaled.Add(scaled, big.NewInt(int64(amount.GetNanos())))
	text := new(big.Rat).SetFrac(scaled, big.NewInt(1e9)).FloatString(decimals)
	return strings.TrimSuffix(strings.TrimRight(text, "0"), ".")
}

// ApplePayToken returns what DecryptApplePayRequest.TokenJson takes: the JSON that the browser's onpaymentauthorized
// gave, event.payment.token or its paymentData, byte for byte as it came. The error is [ErrArgument], and does not show
// the token.
func ApplePayToken[Text ~string | ~[]byte](token Text) ([]byte, error) {
	raw := []byte(token)
	if !json.Valid(raw) {
		return nil, argument("token: it is not JSON")
	}
	var members map[string]json.RawMessage
	if err := json.Unmarshal(raw, &members); err != nil || members == nil {
		return nil, argument("token: it is not a JSON object")
	}
	if _, ok := members["token"]; ok {
		return nil, argument("token: this is the whole payment; pass its member `token`")
	}
	return raw, nil
}
