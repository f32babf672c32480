-- The demo shop: invented products, customers and two years of orders, the same on every machine.
-- Orders are kept relative to the current month, and the views turn that into dates: so "last month" always has the
-- same orders, whenever somebody asks. Tables are in the schema store; what may be read is in the schema shop.

CREATE SCHEMA store;
CREATE SCHEMA shop;

CREATE TABLE store.products (
    id integer PRIMARY KEY,
    name text NOT NULL UNIQUE,
    category text NOT NULL,
    price numeric(10, 2) NOT NULL CHECK (price > 0),
    weight integer NOT NULL CHECK (weight > 0) -- how often it is bought, against the others
);

CREATE TABLE store.customers (
    id integer PRIMARY KEY,
    name text NOT NULL,
    email text NOT NULL UNIQUE,
    city text NOT NULL,
    country text NOT NULL
);

CREATE TABLE store.orders (
    id integer PRIMARY KEY,
    customer_id integer NOT NULL REFERENCES store.customers,
    months_ago integer NOT NULL CHECK (months_ago >= 0),
    into_month interval NOT NULL,
    status text NOT NULL CHECK (status IN ('delivered', 'cancelled', 'returned'))
);

CREATE TABLE store.order_lines (
    order_id integer NOT NULL REFERENCES store.orders,
    line integer NOT NULL,
    product_id integer NOT NULL REFERENCES store.products,
    quantity integer NOT NULL CHECK (quantity > 0),
    unit_price numeric(10, 2) NOT NULL CHECK (unit_price > 0),
    PRIMARY KEY (order_id, line)
);

INSERT INTO store.products (id, name, category, price, weight) VALUES
    (1, 'Espresso beans 1 kg', 'coffee', 18.90, 34),
    (2, 'Filter coffee 500 g', 'coffee', 9.50, 22),
    (3, 'Decaf beans 500 g', 'coffee', 11.20, 9),
    (4, 'Cold brew bottle 6-pack', 'coffee', 14.40, 12),
    (5, 'Earl Grey 100 g', 'tea', 6.80, 11),
    (6, 'Sencha 100 g', 'tea', 9.90, 10),
    (7, 'Rooibos 200 g', 'tea', 5.90, 8),
    (8, 'Chai mix 250 g', 'tea', 8.20, 9),
    (9, 'Oat biscuits', 'sweets', 3.40, 18),
    (10, 'Dark chocolate 85 %', 'sweets', 3.90, 20),
    (11, 'Almond nougat', 'sweets', 5.60, 10),
    (12, 'Honey 500 g', 'sweets', 7.90, 7),
    (13, 'Hand grinder', 'equipment', 59.00, 4),
    (14, 'French press 1 l', 'equipment', 34.50, 5),
    (15, 'Espresso machine', 'equipment', 449.00, 1),
    (16, 'Milk frother', 'equipment', 24.90, 5),
    (17, 'Paper filters, 100', 'equipment', 4.20, 16),
    (18, 'Kettle with thermometer', 'equipment', 69.00, 3),
    (19, 'Porcelain cup', 'tableware', 12.50, 9),
    (20, 'Glass mug, pair', 'tableware', 16.90, 6),
    (21, 'Tea pot 0.8 l', 'tableware', 39.00, 3),
    (22, 'Linen towel', 'tableware', 11.00, 4);

INSERT INTO store.customers (id, name, email, city, country)
SELECT n,
       first.name || ' ' || last.name,
       lower(first.name) || '.' || lower(last.name) || '@example.org',
       place.city,
       place.country
FROM generate_series(1, 120) AS n
JOIN unnest(ARRAY['Ada', 'Bruno', 'Carla', 'Diego', 'Elena', 'Farid', 'Greta', 'Hugo', 'Ines', 'Jonas', 'Kira', 'Luis'])
     WITH ORDINALITY AS first (name, i) ON first.i = 1 + n % 12
JOIN unnest(ARRAY['Abril', 'Berg', 'Costa', 'Duarte', 'Ekberg', 'Fischer', 'Garcia', 'Haas', 'Iglesias', 'Jansen'])
     WITH ORDINALITY AS last (name, i) ON last.i = 1 + (n - 1) / 12
JOIN (VALUES (1, 'Madrid', 'Spain'), (2, 'Lisbon', 'Portugal'), (3, 'Berlin', 'Germany'), (4, 'Porto', 'Portugal'),
             (5, 'Valencia', 'Spain'), (6, 'Hamburg', 'Germany'), (7, 'Vienna', 'Austria'))
     AS place (i, city, country) ON place.i = 1 + (n * n + n) % 7;

-- Pseudo-random but fixed: md5 gives the same figures everywhere.
CREATE FUNCTION store.dice(seed text, sides integer) RETURNS integer
LANGUAGE sql IMMUTABLE STRICT
RETURN (('x' || substr(md5(seed), 1, 7))::bit(28)::integer) % sides;

-- 24 whole months and the current one; a little more every month, and a peak in the third month back.
INSERT INTO store.orders (id, customer_id, months_ago, into_month, status)
SELECT row_number() OVER (ORDER BY m DESC, n),
       -- the square prefers low numbers: some customers buy much more than others
       1 + (store.dice(format('customer %s %s', m, n), 1000) * store.dice(format('again %s %s', m, n), 1000) * 120)
           / 1000000,
       m,
       make_interval(days => store.dice(format('day %s %s', m, n), 28),
                     mins => 480 + store.dice(format('minute %s %s', m, n), 780)),
       CASE WHEN store.dice(format('status %s %s', m, n), 100) < 4 THEN 'cancelled'
            WHEN store.dice(format('status %s %s', m, n), 100) < 8 THEN 'returned'
            ELSE 'delivered' END
FROM generate_series(0, 24) AS m,
     generate_series(1, 140 - 3 * m + CASE m WHEN 3 THEN 45 ELSE 0 END) AS n;

WITH ranges AS (
    SELECT id, price, sum(weight) OVER (ORDER BY id) - weight AS low, sum(weight) OVER (ORDER BY id) AS high
    FROM store.products
),
lines AS (
    SELECT o.id AS order_id,
           n AS line,
           store.dice(format('product %s %s', o.id, n), (SELECT sum(weight)::integer FROM store.products)) AS pick
    FROM store.orders AS o,
         generate_series(1, 1 + store.dice(format('lines %s', o.id), 4)) AS n
)
INSERT INTO store.order_lines (order_id, line, product_id, quantity, unit_price)
SELECT lines.order_id,
       lines.line,
       ranges.id,
       CASE WHEN ranges.price > 30 THEN 1 ELSE 1 + store.dice(format('quantity %s %s', order_id, line), 3) END,
       ranges.price
FROM lines JOIN ranges ON lines.pick >= ranges.low AND lines.pick < ranges.high;

CREATE INDEX ON store.orders (months_ago);
CREATE INDEX ON store.order_lines (product_id);

CREATE VIEW shop.products AS
SELECT id, name, category, price FROM store.products;
COMMENT ON VIEW shop.products IS 'What the shop sells; price in euros.';

CREATE VIEW shop.customers AS
SELECT id, name, city, country FROM store.customers;
COMMENT ON VIEW shop.customers IS 'Who buys.';

CREATE VIEW shop.orders AS
SELECT id, customer_id, ordered_at, status
FROM (SELECT id, customer_id, status,
             date_trunc('month', now()) - make_interval(months => months_ago) + into_month AS ordered_at
      FROM store.orders) AS dated
WHERE ordered_at <= now();
COMMENT ON VIEW shop.orders IS 'Orders of the last two years; status delivered, cancelled or returned.';

CREATE VIEW shop.order_lines AS
SELECT o.id AS order_id, l.line, o.ordered_at, o.status, c.name AS customer, c.city, p.name AS product, p.category,
       l.quantity, l.unit_price
FROM shop.orders AS o
JOIN store.order_lines AS l ON l.order_id = o.id
JOIN store.products AS p ON p.id = l.product_id
JOIN store.customers AS c ON c.id = o.customer_id;
COMMENT ON VIEW shop.order_lines IS 'What was ordered, a row per product of an order, with its order and customer.';

ANALYZE;
