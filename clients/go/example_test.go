package payorch_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"time"

	payorch "payorch.internal/client"
	payorchv1 "payorch.internal/client/payorch/v1"
)

func Example() {
	client, err := payorch.New("payorch:50051", payorch.WithTLSFiles(payorch.TLSFiles{}))
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_, err = client.CreateSession(ctx, &payorchv1.CreateSessionRequest{RequestId: "order-4711-attempt-1"})
	var failed *payorch.Error
	if errors.As(err, &failed) {
		fmt.Println(errors.Is(err, payorch.ErrNotSent), failed.Advice)
	}
	// Output: true ADVICE_RESEND_SAME_REQUEST_ID
}

func ExampleNew() {
	_, err := payorch.New("https://payorch:50051")
	fmt.Println(err)
	fmt.Println(errors.Is(err, payorch.ErrArgument))
	// Output:
	// target: "https://payorch:50051" is the address of a web page; write host:port
	// true
}

func ExampleWithResend() {
	client, err := payorch.New("payorch:50051", payorch.WithResend(payorch.Resend{Attempts: 6, Within: time.Minute}))
	fmt.Println(err)
	fmt.Println(client.Close())
	// Output:
	// <nil>
	// <nil>
}

func ExampleWithTrackID() {
	client, _ := payorch.New("localhost:50051", payorch.WithPlaintext())
	defer client.Close()
	ctx := payorch.WithTrackID(context.Background(), "order 4711")
	_, err := client.CreateSession(ctx, &payorchv1.CreateSessionRequest{})
	fmt.Println(err)
	// Output: track_id: "order 4711" is not 1 to 64 characters from 0x21 to 0x7E without : ; " ' and comma
}

func ExampleNewRequestID() {
	fmt.Println(len(payorch.NewRequestID()))
	// Output: 36
}

func ExampleMoney() {
	amount, _ := payorch.Money("100.10", "USD")
	fmt.Println(amount.GetUnits(), amount.GetNanos())
	_, err := payorch.Money("0.1234567891", "USD")
	fmt.Println(err)
	// Output:
	// 100 100000000
	// amount: "0.1234567891" has more than 9 decimals
}

func ExampleDecimal() {
	amount, _ := payorch.Money("12.50", "USD")
	fmt.Println(payorch.Decimal(amount))
	// Output: 12.5
}

func ExampleApplePayToken() {
	token, _ := payorch.ApplePayToken(`{"data": "...", "version": "EC_v1"}`)
	fmt.Printf("%s\n", token)
	_, err := payorch.ApplePayToken(`{"token": {"data": "..."}}`)
	fmt.Println(err)
	// Output:
	// {"data": "...", "version": "EC_v1"}
	// token: this is the whole payment; pass its member `token`
}

func ExampleRedacted() {
	fmt.Println(payorch.Redacted(&payorchv1.DecryptApplePayRequest{
		RequestId: "order-4711-attempt-1",
		TokenJson: []byte(`{"data": "..."}`),
	}))
	// Output:
	// request_id: "order-4711-attempt-1"
	// token_json: [redacted]
}
