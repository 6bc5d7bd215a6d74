package service

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"time"

	"github.com/poundlock/poundlock/examples/internal/breaker"
	"github.com/poundlock/poundlock/examples/shop/internal/goods"
	"github.com/poundlock/poundlock/observe/httpstats"
)

// errDeclined says that the customer cannot pay.
var errDeclined = errors.New("shop: payment declined")

// payment is the client of the payment service. A request is tried again twice at
// most, which is safe as the service knows it by the order's key; not at all while the
// breaker is open.
type payment struct {
	url     string
	client  *http.Client
	breaker *breaker.Breaker
}

const (
	payAttempts = 3
	payTimeout  = 300 * time.Millisecond // of one attempt
	payPause    = 20 * time.Millisecond  // before the second attempt, at most; then twice as long
)

func newPayment(url string, see *sight) (*payment, error) {
	base := http.DefaultTransport.(*http.Transport).Clone()
	base.MaxIdleConnsPerHost = 64
	base.DisableCompression = true
	stats, err := httpstats.NewClient(httpstats.ClientConfig{Registry: see.reg, Base: base, Name: "payment"})
	if err != nil {
		return nil, err
	}
	failed := func(err error) bool { return !errors.Is(err, errDeclined) }
	p := &payment{url, &http.Client{Transport: stats, Timeout: payTimeout}, breaker.New(failed)}
	add(see, "payment", p.breaker)
	return p, nil
}

func (p *payment) close(context.Context) error {
	p.client.CloseIdleConnections()
	return nil
}

// charge charges an order. errDeclined means that it was not charged, and breaker.ErrOpen
// that nobody was asked; after any other error it may have been.
func (p *payment) charge(ctx context.Context, o goods.Order) error {
	return p.try(ctx, "/charges", goods.Charge{Key: o.Key, Cents: o.Cents})
}

// refund gives the money for an order back, if it was charged.
func (p *payment) refund(ctx context.Context, key string) error {
	return p.try(ctx, "/refunds", goods.Charge{Key: key})
}

func (p *payment) try(ctx context.Context, path string, c goods.Charge) error {
	body, err := json.Marshal(c)
	if err != nil {
		return err
	}
	for n := 1; ; n++ {
		last := err
		err = p.breaker.Do(func() error { return p.post(ctx, path, body) })
		switch {
		case err == nil, errors.Is(err, errDeclined):
			return err
		case errors.Is(err, breaker.ErrOpen) && last != nil:
			return fmt.Errorf("payment: %w, then %w", last, errRetries) // somebody was asked before
		case errors.Is(err, breaker.ErrOpen), n == payAttempts:
			return fmt.Errorf("payment: %w", err)
		}
		pause := time.NewTimer(rand.N(payPause << (n - 1)))
		select {
		case <-ctx.Done():
			pause.Stop()
			return errors.Join(err, context.Cause(ctx))
		case <-pause.C:
		}
	}
}

var errRetries = errors.New("no further attempt: the circuit breaker opened")

func (p *payment) post(ctx context.Context, path string, body []byte) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, p.url+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	resp, err := p.client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, 1<<16)) // so that the connection is used again
	switch resp.StatusCode {
	case http.StatusOK:
		return nil
	case http.StatusPaymentRequired:
		return errDeclined
	}
	return fmt.Errorf("status %d", resp.StatusCode)
}
