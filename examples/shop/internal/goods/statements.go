package goods

// Schema makes the shop's tables, in a schema of their own, where they are missing.
const Schema = `
create schema if not exists shop;
create table if not exists shop.products (
	id bigint primary key, name text not null, text text not null,
	cents bigint not null, version bigint not null default 0,
	stock bigint not null check (stock >= 0));
create table if not exists shop.reservations (
	key text primary key, product bigint not null, quantity bigint not null,
	at timestamptz not null default now());
create table if not exists shop.orders (
	key text primary key, customer text not null check (length(customer) <= 100),
	product bigint not null, quantity bigint not null, cents bigint not null,
	at timestamptz not null default now());`

// Statements are what both twins ask PostgreSQL, by name. Each is one transaction
// and may be run twice.
var Statements = map[string]string{
	"products.load":  `select id, name, text, cents, version from shop.products where id = any($1::bigint[])`,
	"products.get":   `select id, name, text, cents, version from shop.products where id = $1`,
	"products.price": `update shop.products set cents = $2 where id = $1`,
	"prices.load":    `select id, cents from shop.products`,
	"orders.get":     `select key, customer, product, quantity, cents from shop.orders where key = $1`,

	// Of several changes of a product the newest counts.
	"products.save": `update shop.products p set name = n.name, text = n.text, version = n.version
		from (select distinct on (id) * from jsonb_to_recordset($1::jsonb)
			s(id bigint, name text, text text, version bigint) order by id, version desc) n
		where p.id = n.id and p.version < n.version`,

	// The update takes the product's row lock. Two attempts with one key meet at the
	// reservation's primary key: one of them fails and takes nothing.
	"orders.reserve": `with
		done as (select 1 from shop.orders where key = $1),
		held as (select 1 from shop.reservations where key = $1),
		took as (update shop.products set stock = stock - $3::bigint
			where id = $2::bigint and stock >= $3::bigint
			and not exists (select from done) and not exists (select from held) returning id),
		put as (insert into shop.reservations (key, product, quantity)
			select $1, id, $3::bigint from took returning key)
		select case when exists (select from done) then 3
			when exists (select from held) or exists (select from put) then 2
			when exists (select from shop.products where id = $2::bigint) then 1 else 0 end`,

	"orders.release": `with back as (delete from shop.reservations where key = $1 returning product, quantity)
		update shop.products p set stock = stock + back.quantity from back where p.id = back.product`,

	"orders.sweep": `with gone as (delete from shop.reservations
			where at < now() - make_interval(secs => $1::int) returning product, quantity),
		back as (select product, sum(quantity)::bigint as quantity from gone group by product)
		update shop.products p set stock = stock + back.quantity from back where p.id = back.product`,

	"orders.write": `with
		sent as (select * from jsonb_to_recordset($1::jsonb)
			s(key text, customer text, product bigint, quantity bigint, cents bigint)),
		took as (delete from shop.reservations r using sent where r.key = sent.key returning r.key),
		put as (insert into shop.orders (key, customer, product, quantity, cents)
			select sent.* from sent join took using (key) on conflict (key) do nothing returning key)
		select key from put union select o.key from shop.orders o join sent using (key)`,
}

// Seed fills the tables with n products, each with so much in stock; $1 and $2.
const Seed = `insert into shop.products (id, name, text, cents, stock)
	select id, 'Narrow boat ' || id, repeat(format('Built on slip %s, steel hull, room for %s. ', id % 97, 2 + id % 5), 14),
		1000 + id % 9000, $2::bigint from generate_series(1, $1::bigint) id on conflict (id) do nothing`
