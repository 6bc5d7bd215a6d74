package main

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/stretchr/testify/require"

	"github.com/poundlock/poundlock/examples/shop/internal/goods"
)

// A batch of write-back may have several changes of a product, in any order. The newest
// is what is saved, in the table and in its stand-in, and none that is older than what
// is there.
func TestTheNewestOfSeveralChangesIsSaved(t *testing.T) {
	memory := goods.NewMemory(2, 1)
	check := func(name string, save func(changes string, products []goods.Product), read func(id int64) (string, int64)) {
		for _, c := range []struct {
			versions []int64
			want     int64
		}{{[]int64{11, 13, 12}, 13}, {[]int64{9, 10}, 13}, {[]int64{14}, 14}, {[]int64{16, 15}, 16}} {
			text, products := "", []goods.Product(nil)
			for _, v := range c.versions {
				for id := int64(1); id <= 2; id++ {
					p := goods.Product{ID: id, Name: fmt.Sprint(id, "v", v), Version: v}
					text += fmt.Sprintf(`,{"id":%d,"name":%q,"text":"","version":%d}`, id, p.Name, v)
					products = append(products, p)
				}
			}
			save("["+text[1:]+"]", products)
			for id := int64(1); id <= 2; id++ {
				title, version := read(id)
				require.Equal(t, c.want, version, "%s: %v", name, c.versions)
				require.Equal(t, fmt.Sprint(id, "v", c.want), title, name)
			}
		}
	}
	check("stand-in", func(_ string, products []goods.Product) {
		require.NoError(t, memory.Save(t.Context(), products))
	}, func(id int64) (string, int64) {
		found, err := memory.Load(t.Context(), []int64{id})
		require.NoError(t, err)
		return found[0].Name, found[0].Version
	})

	servers(t)
	pg, err := pgconn.Connect(t.Context(), os.Getenv("POUNDLOCK_POSTGRES"))
	require.NoError(t, err)
	defer pg.Close(context.Background())
	exec := func(sql string, params ...[]byte) [][][]byte {
		r := pg.ExecParams(t.Context(), sql, params, nil, nil, nil).Read()
		require.NoError(t, r.Err)
		return r.Rows
	}
	exec(`create temporary table products (id bigint primary key, name text, text text, version bigint)`)
	exec(`insert into products select id, '', '', 0 from generate_series(1, 2) id`)
	check("PostgreSQL", func(changes string, _ []goods.Product) {
		exec(strings.ReplaceAll(goods.Statements["products.save"], "shop.products", "pg_temp.products"), []byte(changes))
	}, func(id int64) (name string, version int64) {
		row := exec(`select name, version from products where id = $1`, fmt.Append(nil, id))[0]
		_, err := fmt.Sscan(string(row[1]), &version)
		require.NoError(t, err)
		return string(row[0]), version
	})
}
