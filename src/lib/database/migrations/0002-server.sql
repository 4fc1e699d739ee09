-- Up Migration
-- What the HTTPS server keeps: approvals that administrators were asked for, and what a deposit needs to be put but once.

create table public.client_approval (
  id bigint generated always as identity primary key,
  client_id bigint not null references public.client (id) on delete cascade,
  contact_id bigint not null references public.contact (id) on delete cascade,
  token_hash bytea not null unique check (octet_length(token_hash) = 32),
  created_at timestamptz not null default now(),
  expires_at timestamptz not null,
  used_at timestamptz,
  decision text collate "C" check (decision in ('approved', 'denied')),
  check ((used_at is null) = (decision is null))
);
create index client_approval_client_id on public.client_approval (client_id);
create index client_approval_contact_id on public.client_approval (contact_id);
comment on column public.client_approval.token_hash is 'SHA-256 of the token; the token itself is only in the mail';

alter table public.deposit add column put_key text collate "C" check (put_key ~ '^[0-9A-Za-z_-]{16,128}$');
comment on column public.deposit.put_key is 'made by the client: a put that is repeated with it stores nothing a second time';
create unique index deposit_client_id_put_key on public.deposit (client_id, put_key) where put_key is not null;
create index deposit_client_id_id on public.deposit (client_id, id);
create index deposit_deleted_at on public.deposit (deleted_at) where deleted_at is not null;
create index deposit_expires_at on public.deposit (expires_at) where expires_at is not null;
