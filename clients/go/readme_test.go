package payorch_test

import (
	"errors"
	"os"
	"regexp"
	"strings"
	"testing"

	payorch "payorch.internal/client"
	payorchv1 "payorch.internal/client/payorch/v1"
	"payorch.internal/client/payorchtest"
)

func TestARefusedPaymentNamesTheField(t *testing.T) {
	fake := payorchtest.New(t)
	fake.FailWith("REQUEST_INVALID", payorchtest.Violation("pay_invoice.invoice", "must not be empty"))
	_, err := fake.Client().DecryptApplePay(t.Context(), &payorchv1.DecryptApplePayRequest{
		RequestId: "order-4711-attempt-1",
		TokenJson: []byte("{}"),
		Charge:    &payorchv1.DecryptApplePayRequest_PayInvoice{PayInvoice: &payorchv1.PayInvoice{}},
	})
	var refused *payorch.Error
	if !errors.As(err, &refused) || refused.Violations[0].Field != "pay_invoice.invoice" || len(fake.Executed()) > 0 {
		t.Errorf("%v, executed %d times", err, len(fake.Executed()))
	}
}

func TestREADMEShowsTheTestAboveInFifteenLines(t *testing.T) {
	readme, source := text(t, "README.md"), text(t, "readme_test.go")
	shown := regexp.MustCompile("(?ms)^```go\n(func TestA.*?)^```$").FindStringSubmatch(readme)
	if shown == nil || !strings.Contains(source, "\n"+shown[1]+"\n") {
		t.Error("the README shows another test")
	} else if lines := strings.Count(shown[1], "\n"); lines > 15 {
		t.Errorf("it has %d lines", lines)
	}
}

func TestREADMENamesTheErrorsOfFiveMistakes(t *testing.T) {
	readme := text(t, "README.md")
	token, _ := supplying("secret\n")
	_, withLineBreak := payorchtest.New(t).Client(payorch.WithToken(token)).CreateSession(t.Context(), session(""))
	_, page := payorch.New("https://payorch:50051")
	for _, err := range []error{withLineBreak, page} {
		failedAs(t, err, payorch.ErrArgument)
		if !strings.Contains(readme, "`ErrArgument`: `"+err.Error()+"`") {
			t.Errorf("the README lacks %v", err)
		}
	}
	source := text(t, "connection_test.go") // whose cases have the hints
	hints := regexp.MustCompile("`ErrNotSent`: (.+) \\|").FindAllStringSubmatch(readme, -1)
	for _, hint := range hints {
		if !strings.Contains(source, `"`+hint[1]+`"`) {
			t.Errorf("no case has %s", hint[1])
		}
	}
	if len(hints) != 3 {
		t.Errorf("%v", hints)
	}
}

func TestLicenceIsThatOfTheProject(t *testing.T) {
	if text(t, "LICENSE") != text(t, "../../LICENSE") {
		t.Error("the module carries a copy, because it holds nothing from outside its folder")
	}
}

func text(t *testing.T, name string) string {
	t.Helper()
	content, err := os.ReadFile(name)
	check(t, err)
	return string(content)
}
