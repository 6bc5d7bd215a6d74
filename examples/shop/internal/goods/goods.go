// Package goods is what the shop and its plain twin have in common: the goods and
// orders, what the database can be asked, the answers that clients see, and the work
// of mails and thumbnails. A comparison of the two is one of how they do it.
package goods

import (
	"context"
	"errors"
	"strconv"
)

// Product is something to buy.
type Product struct {
	ID      int64  `json:"id"`
	Name    string `json:"name"`
	Text    string `json:"text"`
	Cents   int64  `json:"cents,omitempty"` // the price; 0 in caches, which do not keep it
	Version int64  `json:"version"`         // grows with each change of Name and Text
}

// Order is one customer's order of one product. Key is the client's: an order that
// is sent again, because its answer got lost, is the same order.
type Order struct {
	Key      string `json:"key"`
	Customer string `json:"customer"`
	Product  int64  `json:"product"`
	Quantity int64  `json:"quantity"`
	Cents    int64  `json:"cents"` // what was paid
}

// Valid returns what is wrong with an order that a client sent. It does not know
// everything that the database demands: that is what makes an order poison.
func (o *Order) Valid() error {
	switch {
	case len(o.Key) < 8 || len(o.Key) > 64:
		return errors.New("key: 8 to 64 bytes")
	case o.Customer == "" || len(o.Customer) > 200:
		return errors.New("customer: 1 to 200 bytes")
	case o.Quantity < 1 || o.Quantity > 1000:
		return errors.New("quantity: 1 to 1000")
	}
	return nil
}

// Held says what a Reserve found.
type Held int

// What a Reserve found.
const (
	Nothing  Held = iota // there is no such product
	Short                // there is not enough of it
	Reserved             // the goods are set aside, now or by an earlier attempt
	Done                 // the order has been written before
)

var (
	// ErrNotFound says that there is no such product or order.
	ErrNotFound = errors.New("shop: not found")
	// ErrExpired says that an order came after its goods went back to the shelf.
	ErrExpired = errors.New("shop: the reservation has expired")
	// ErrBadOrder says that the database refused an order by itself.
	ErrBadOrder = errors.New("shop: the database refuses the order")
)

// Store is the database. Every method is one statement, which may be run twice: the
// second run changes nothing more. At any time, of each product,
// what is in stock, reserved and ordered adds up to what there was.
type Store interface {
	// Load returns the products with these ids that exist, in any order.
	Load(ctx context.Context, ids []int64) ([]Product, error)
	// Save changes Name and Text of products that exist, where Version is newer.
	Save(ctx context.Context, products []Product) error
	// Prices returns all prices in cents.
	Prices(ctx context.Context) (map[int64]int64, error)
	// SetPrice changes a price, or returns ErrNotFound.
	SetPrice(ctx context.Context, id, cents int64) error
	// Reserve sets an order's goods aside.
	Reserve(ctx context.Context, o Order) (Held, error)
	// Release puts the goods of a reservation back, and reports whether there was one.
	Release(ctx context.Context, key string) (bool, error)
	// Sweep puts back the goods of reservations older than so many seconds.
	Sweep(ctx context.Context, seconds int) error
	// Write turns reservations into orders, all or none of them, and returns the
	// keys of those that are written now. One that is missing had no reservation.
	// An error that wraps ErrBadOrder is the fault of one of the orders.
	Write(ctx context.Context, orders []Order) (keys []string, err error)
	// Order returns a written order, or ErrNotFound.
	Order(ctx context.Context, key string) (Order, error)
	// Close ends the connections.
	Close() error
}

// Receipt is the answer to an order.
type Receipt struct {
	Key   string `json:"key"`
	Cents int64  `json:"cents"`
}

// PageSize is how many products a page of the catalogue has.
const PageSize = 20

// Page returns the ids on a page of the catalogue, which counts from 0.
func Page(n int64) []int64 {
	ids := make([]int64, PageSize)
	for i := range ids {
		ids[i] = n*PageSize + int64(i) + 1
	}
	return ids
}

// CacheKey is the name of a product in Redis.
func CacheKey(id int64) string { return "poundlock:shop:" + strconv.FormatInt(id, 10) }
