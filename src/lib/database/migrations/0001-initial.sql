-- Up Migration
-- The tables of a Key Trustee Server. Times are UTC (timestamptz); identifiers are 43 base-62 characters.

create table public.organization (
  id bigint generated always as identity primary key,
  uuid text collate "C" not null unique check (uuid ~ '^[0-9A-Za-z]{43}$'),
  name text collate "C" not null unique check (name ~ '^[0-9A-Za-z_-]{1,128}$'),
  auth_secret text not null check (octet_length(auth_secret) <= 1024),
  state smallint not null default 0 check (state in (0, 1)),
  created_at timestamptz not null default now(),
  expires_at timestamptz
);
comment on column public.organization.auth_secret is 'empty: clients are approved automatically, without a code';
comment on column public.organization.state is '0 enabled, 1 disabled';
comment on column public.organization.expires_at is 'null: never';

create table public.contact (
  id bigint generated always as identity primary key,
  organization_id bigint not null references public.organization (id) on delete cascade,
  email text collate "C" not null check (octet_length(email) <= 254),
  public_key text,
  created_at timestamptz not null default now(),
  unique (organization_id, email)
);
comment on column public.contact.public_key is 'armoured OpenPGP key that the contact registered; null: none yet';

create table public.contact_invitation (
  id bigint generated always as identity primary key,
  contact_id bigint not null references public.contact (id) on delete cascade,
  token_hash bytea not null unique check (octet_length(token_hash) = 32),
  created_at timestamptz not null default now(),
  expires_at timestamptz not null,
  used_at timestamptz
);
create index contact_invitation_contact_id on public.contact_invitation (contact_id);
comment on column public.contact_invitation.token_hash is 'SHA-256 of the token; the token itself is only in the mail';

create table public.client (
  id bigint generated always as identity primary key,
  organization_id bigint not null references public.organization (id) on delete restrict,
  fingerprint text collate "C" not null unique check (fingerprint ~ '^[0-9A-F]{40}$'),
  name text not null default '' check (octet_length(name) <= 255),
  public_key text not null check (octet_length(public_key) <= 65536),
  state text not null default 'pending' check (state in ('pending', 'active', 'disabled')),
  created_at timestamptz not null default now(),
  activated_at timestamptz,
  disabled_at timestamptz
);
create index client_organization_id on public.client (organization_id);

create table public.deposit (
  id bigint generated always as identity primary key,
  uuid text collate "C" not null unique check (uuid ~ '^[0-9A-Za-z]{43}$'),
  client_id bigint not null references public.client (id) on delete restrict,
  handle text collate "C" check (octet_length(handle) between 1 and 255),
  content bytea not null check (octet_length(content) <= 1048576),
  sha256 bytea not null check (octet_length(sha256) = 32),
  created_at timestamptz not null default now(),
  expires_at timestamptz,
  retrievals_left integer check (retrievals_left >= 0),
  deleted_at timestamptz
);
create unique index deposit_client_id_handle on public.deposit (client_id, handle) where deleted_at is null;
alter table public.deposit alter column content set storage external;
comment on column public.deposit.content is 'opaque: the client encrypted it, so it does not compress either';
