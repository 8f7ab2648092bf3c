-- Login roles of the functions, each with the least privileges. Run this once as the master user, with psql, in the database
-- `penstock` (see README.md). It can be run again: it does not change existing roles and schemas.
--
-- | role                     | login | privileges                                                                  |
-- |--------------------------|-------|-----------------------------------------------------------------------------|
-- | penstock_writer          | IAM   | create schemas and tables, which it owns and writes to                      |
-- | penstock_api             | IAM   | read the ledger (schema penstock) and the target tables                     |
-- | penstock_ledger_readers  | no    | group: SELECT on schema penstock                                            |
-- | penstock_target_readers  | no    | group: SELECT on all other tables of the writer; for analysts and services  |

\set ON_ERROR_STOP on

-- The master user is a member of penstock_writer only within this transaction. A lasting membership would make it an
-- indirect member of rds_iam, and RDS would no longer accept its password.
BEGIN;

SELECT format('CREATE ROLE %I %s', role, kind)
FROM (VALUES
    ('penstock_ledger_readers', 'NOLOGIN'),
    ('penstock_target_readers', 'NOLOGIN'),
    ('penstock_writer', 'LOGIN'),
    ('penstock_api', 'LOGIN CONNECTION LIMIT 20')
) AS required (role, kind)
WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = role)
\gexec

-- Without these grants, no role can connect, create temporary tables or use the schema public.
REVOKE ALL ON DATABASE :"DBNAME" FROM PUBLIC;
REVOKE ALL ON SCHEMA public FROM PUBLIC;

-- The writer needs CREATE on the database for the ledger's schema and the schemas in contracts, and TEMPORARY for the staging
-- table of a chunk.
GRANT CONNECT, CREATE, TEMPORARY ON DATABASE :"DBNAME" TO penstock_writer;
GRANT USAGE, CREATE ON SCHEMA public TO penstock_writer;

GRANT CONNECT ON DATABASE :"DBNAME" TO penstock_ledger_readers, penstock_target_readers;
GRANT penstock_ledger_readers, penstock_target_readers TO penstock_api;
GRANT USAGE ON SCHEMA public TO penstock_target_readers;

ALTER ROLE penstock_api SET default_transaction_read_only = on;
ALTER ROLE penstock_api SET statement_timeout = '15s';

GRANT penstock_writer TO CURRENT_USER;
SET LOCAL ROLE penstock_writer;

-- The writer's first migration creates its tables in this schema.
SELECT 'CREATE SCHEMA penstock'
WHERE NOT EXISTS (SELECT FROM pg_namespace WHERE nspname = 'penstock')
\gexec
GRANT USAGE ON SCHEMA penstock TO penstock_ledger_readers;
GRANT SELECT ON ALL TABLES IN SCHEMA penstock TO penstock_ledger_readers;
ALTER DEFAULT PRIVILEGES IN SCHEMA penstock GRANT SELECT ON TABLES TO penstock_ledger_readers;

-- Tables and schemas that the writer creates later. penstock_target_readers have no USAGE on the schema penstock, so
-- SELECT on its tables has no effect and the ledger stays closed to them.
ALTER DEFAULT PRIVILEGES GRANT USAGE ON SCHEMAS TO penstock_target_readers;
ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO penstock_target_readers;

-- Existing tables and schemas of the writer.
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

-- Last, because from here on these two roles can log in only with an IAM token.
GRANT rds_iam TO penstock_writer, penstock_api;

COMMIT;
