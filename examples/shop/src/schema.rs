//! The tables, made at the start where they are not there, and what is in stock then.

/// Each service writes only its own: `catalog` products and reservations, `accounts` and `payments`
/// balances and payments, `orders` orders.
///
/// A reservation and a payment are undone by number, and an undo may come before what it undoes, or
/// instead of it: so it leaves a row, and what comes late finds that row and does nothing.
pub(crate) const SCHEMA: &str = "
CREATE TABLE IF NOT EXISTS products (
    name text PRIMARY KEY,
    cents bigint NOT NULL,
    stock bigint NOT NULL CONSTRAINT in_stock CHECK (stock >= 0)
);
CREATE TABLE IF NOT EXISTS reservations (
    number text PRIMARY KEY,
    product text REFERENCES products,
    count bigint NOT NULL,
    undone boolean NOT NULL
);
CREATE TABLE IF NOT EXISTS accounts (
    name text PRIMARY KEY,
    cents bigint NOT NULL CONSTRAINT covered CHECK (cents >= 0)
);
CREATE TABLE IF NOT EXISTS payments (
    number text PRIMARY KEY,
    account text REFERENCES accounts,
    cents bigint NOT NULL,
    undone boolean NOT NULL
);
CREATE TABLE IF NOT EXISTS orders (
    key text PRIMARY KEY,
    product text NOT NULL REFERENCES products,
    count bigint NOT NULL,
    account text NOT NULL REFERENCES accounts,
    attempts bigint NOT NULL,
    paid boolean NOT NULL,
    fence bigint NOT NULL
);
INSERT INTO products VALUES ('tea', 450, 1000000), ('cup', 1200, 500), ('pot', 4900, 50)
    ON CONFLICT DO NOTHING;
INSERT INTO accounts VALUES ('ada', 1000000), ('ben', 1000000), ('shop', 0)
    ON CONFLICT DO NOTHING;
INSERT INTO accounts SELECT 'customer-' || n, 100000000 FROM generate_series(0, 63) AS n
    ON CONFLICT DO NOTHING;
";
