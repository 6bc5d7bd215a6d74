package plain

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/poundlock/poundlock/examples/shop/internal/goods"
)

func (s *Shop) order(w http.ResponseWriter, r *http.Request) {
	var o goods.Order
	if _, ok := request(w, r, "", &o); !ok {
		return
	}
	if err := o.Valid(); err != nil {
		fail(w, fmt.Errorf("%w: %w", errBadRequest, err))
		return
	}
	o, fresh, err := s.place(r.Context(), o)
	if err != nil {
		fail(w, err)
		return
	}
	status := http.StatusOK
	if fresh {
		status = http.StatusCreated
	}
	respond(w, status, goods.Receipt{Key: o.Key, Cents: o.Cents})
}

// place reserves, charges and writes an order.
func (s *Shop) place(ctx context.Context, o goods.Order) (_ goods.Order, fresh bool, err error) {
	defer s.keys.lock(o.Key)()
	switch held, err := s.reserve(ctx, o); {
	case err != nil:
		return o, false, err
	case held == goods.Nothing:
		return o, false, goods.ErrNotFound
	case held == goods.Short:
		return o, false, errShort
	case held == goods.Done:
		o, err = s.store.Order(ctx, o.Key)
		return o, false, err
	}
	o.Cents = s.price(o.Product) * o.Quantity
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	err = s.pay.try(ctx, "/charges", goods.Charge{Key: o.Key, Cents: o.Cents})
	if err == nil {
		err = s.write(ctx, o)
	}
	if err != nil {
		if errors.Is(err, errDeclined) {
			if _, err := s.store.Release(ctx, o.Key); err == nil {
				return o, false, errDeclined
			}
		}
		s.jobs.Go(func() { s.settle(o.Key) })
		return o, false, err
	}
	s.jobs.Go(func() { _ = goods.Mail(io.Discard, o) })
	return o, true, nil
}

func (s *Shop) reserve(ctx context.Context, o goods.Order) (goods.Held, error) {
	defer s.products.lock(o.Product)()
	return s.store.Reserve(ctx, o)
}

func (s *Shop) write(ctx context.Context, o goods.Order) error {
	keys, err := s.store.Write(ctx, []goods.Order{o})
	if err == nil && len(keys) == 0 {
		return goods.ErrExpired
	}
	return err
}

func (s *Shop) settle(key string) {
	for range 10 {
		if s.trySettle(key) == nil {
			return
		}
		time.Sleep(2 * time.Second)
	}
}

func (s *Shop) trySettle(key string) error {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	defer s.keys.lock(key)()
	if _, err := s.store.Release(ctx, key); err != nil {
		return err
	}
	if _, err := s.store.Order(ctx, key); !errors.Is(err, goods.ErrNotFound) {
		return err
	}
	return s.pay.try(ctx, "/refunds", goods.Charge{Key: key})
}

var errDeclined = errors.New("payment declined")

type payment struct {
	url    string
	client *http.Client
}

func newPayment(url string) *payment {
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.MaxIdleConnsPerHost = 64
	t.DisableCompression = true
	return &payment{url, &http.Client{Transport: t, Timeout: 300 * time.Millisecond}}
}

func (p *payment) try(ctx context.Context, path string, c goods.Charge) error {
	body, err := json.Marshal(c)
	if err != nil {
		return err
	}
	for n := range 3 {
		if n > 0 {
			time.Sleep(20 * time.Millisecond)
		}
		if err = p.post(ctx, path, body); err == nil || errors.Is(err, errDeclined) {
			return err
		}
	}
	return err
}

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
	_, _ = io.Copy(io.Discard, resp.Body)
	switch resp.StatusCode {
	case http.StatusOK:
		return nil
	case http.StatusPaymentRequired:
		return errDeclined
	}
	return fmt.Errorf("status %d", resp.StatusCode)
}
