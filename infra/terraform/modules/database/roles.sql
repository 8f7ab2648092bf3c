-- Login roles of the functions, each with just its rights. Run once as the master user, with psql, in the database
-- `penstock` (README.md says how). It may be run again: it changes nothing that stands already.
--
-- | role                     | login | may                                                                         |
-- |--------------------------|-------|-----------------------------------------------------------------------------|
-- | penstock_writer          | IAM   | make schemas and tables, own what it made, write to it                      |
-- | penstock_api             | IAM   | read the ledger (schema penstock) and the target tables                     |
-- | penstock_ledger_readers  | no    | group: SELECT on schema penstock                                            |
-- | penstock_target_readers  | no    | group: SELECT on whatever else the writer made; for analysts and services   |

\set ON_ERROR_STOP on

-- One transaction: the master user is a member of penstock_writer only within it. A lasting membership would make it
-- an indirect member of rds_iam, and RDS would no longer take its password.
BEGIN;

SELECT format('CREATE ROLE %I %s', role, kind)
FROM (VALUES
    ('penstock_ledger_readers', 'NOLOGIN'),
    ('penstock_target_readers', 'NOLOGIN'),
    ('penstock_writer', 'LOGIN'),
    ('penstock_api', 'LOGIN CONNECTION LIMIT 20')
) AS wanted (role, kind)
WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = role)
\gexec

-- Nobody gets in, makes temporary tables or looks into a schema for no reason.
REVOKE ALL ON DATABASE :"DBNAME" FROM PUBLIC;
REVOKE ALL ON SCHEMA public FROM PUBLIC;

-- The writer: CREATE on the database is for the ledger's schema and those that contracts name, TEMPORARY for the
-- stage of a chunk.
GRANT CONNECT, CREATE, TEMPORARY ON DATABASE :"DBNAME" TO penstock_writer;
GRANT USAGE, CREATE ON SCHEMA public TO penstock_writer;

GRANT CONNECT ON DATABASE :"DBNAME" TO penstock_ledger_readers, penstock_target_readers;
GRANT penstock_ledger_readers, penstock_target_readers TO penstock_api;
GRANT USAGE ON SCHEMA public TO penstock_target_readers;

ALTER ROLE penstock_api SET default_transaction_read_only = on;
ALTER ROLE penstock_api SET statement_timeout = '15s';

GRANT penstock_writer TO CURRENT_USER;
SET LOCAL ROLE penstock_writer;

-- The writer's first migration finds the schema there and fills it.
SELECT 'CREATE SCHEMA penstock'
WHERE NOT EXISTS (SELECT FROM pg_namespace WHERE nspname = 'penstock')
\gexec
GRANT USAGE ON SCHEMA penstock TO penstock_ledger_readers;
GRANT SELECT ON ALL TABLES IN SCHEMA penstock TO penstock_ledger_readers;
ALTER DEFAULT PRIVILEGES IN SCHEMA penstock GRANT SELECT ON TABLES TO penstock_ledger_readers;

-- What it will make: a right on tables in a schema that cannot be used is worth nothing, so the ledger stays closed
-- to penstock_target_readers.
ALTER DEFAULT PRIVILEGES GRANT USAGE ON SCHEMAS TO penstock_target_readers;
ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO penstock_target_readers;

-- What it made before: its tables, and the schemas that contracts named.
SELECT format('GRANT USAGE ON SCHEMA %I TO penstock_target_readers', nspname)
FROM pg_namespace
WHERE nspowner = 'penstock_writer'::regrole AND nspname <> 'penstock' AND nspname !~ '^pg_'
\gexec
SELECT format('GRANT SELECT ON TABLE %s TO penstock_target_readers', oid::regclass)
FROM pg_class
WHERE relowner = 'penstock_writer'::regrole AND relkind IN ('r', 'p') AND relpersistence = 'p'
    AND relnamespace <> 'penstock'::regnamespace
\gexec

RESET ROLE;
REVOKE penstock_writer FROM CURRENT_USER;

-- Last: from here on these two come in with an IAM token and with nothing else.
GRANT rds_iam TO penstock_writer, penstock_api;

COMMIT;
