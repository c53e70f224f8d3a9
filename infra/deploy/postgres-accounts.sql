-- The two accounts of Waybill, made by the superuser in an empty database, with psql 14 or newer:
-- the owner changes tables (`waybill migrate`), API and workers read and write rows. So no process
-- that answers requests can truncate the audit log or drop its triggers.
\getenv owner_password DATABASE_OWNER_PASSWORD
\getenv password DATABASE_PASSWORD
SELECT current_database() AS database \gset
CREATE ROLE waybill_owner LOGIN PASSWORD :'owner_password';
CREATE ROLE waybill LOGIN PASSWORD :'password';
ALTER DATABASE :"database" OWNER TO waybill_owner;
REVOKE ALL ON DATABASE :"database" FROM PUBLIC;
GRANT CONNECT ON DATABASE :"database" TO waybill;
ALTER DEFAULT PRIVILEGES FOR ROLE waybill_owner GRANT USAGE ON SCHEMAS TO waybill;
ALTER DEFAULT PRIVILEGES FOR ROLE waybill_owner GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO waybill;
ALTER DEFAULT PRIVILEGES FOR ROLE waybill_owner GRANT USAGE, SELECT ON SEQUENCES TO waybill;
