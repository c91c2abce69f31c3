--
-- PostgreSQL database dump
--

-- Dumped from database version 15.18 (Debian 15.18-0+deb12u1)
-- Dumped by pg_dump version 15.18 (Debian 15.18-0+deb12u1)

SET statement_timeout = 0;
SET lock_timeout = 0;
SET idle_in_transaction_session_timeout = 0;
SET client_encoding = 'UTF8';
SET standard_conforming_strings = on;
SELECT pg_catalog.set_config('search_path', '', false);
SET check_function_bodies = false;
SET xmloption = content;
SET client_min_messages = warning;
SET row_security = off;

SET default_tablespace = '';

SET default_table_access_method = heap;

--
-- Name: content_shoutbox; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.content_shoutbox (
    message_content_id text NOT NULL,
    body text
);

--
-- Name: networks; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.networks (
    network_id text NOT NULL,
    network_authenticator_class text NOT NULL,
    name text DEFAULT 'Unnamed network'::text NOT NULL,
    validation_grace_time interval DEFAULT '00:20:00'::interval NOT NULL
);

--
-- Name: node_deployment_status; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.node_deployment_status (
    node_deployment_status character varying(32) NOT NULL
);

--
-- Name: nodes; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.nodes (
    node_id character varying(32) DEFAULT ''::character varying NOT NULL,
    name text,
    last_heartbeat_ip character varying(16),
    last_heartbeat_timestamp timestamp without time zone DEFAULT now(),
    creation_date date DEFAULT now(),
    last_heartbeat_user_agent text,
    description text,
    node_deployment_status character varying(32) DEFAULT 'IN_PLANNING'::character varying NOT NULL,
    venue_type text DEFAULT 'Other'::text,
    network_id text NOT NULL,
    is_splash_only_node boolean DEFAULT false,
    gw_id text NOT NULL,
    last_heartbeat_sys_load real
);

--
-- Name: users; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.users (
    user_id character varying(45) NOT NULL,
    pass character varying(32) DEFAULT ''::character varying NOT NULL,
    email character varying(255) DEFAULT ''::character varying NOT NULL,
    account_status integer,
    validation_token character varying(64) DEFAULT ''::character varying NOT NULL,
    reg_date timestamp without time zone DEFAULT now() NOT NULL,
    username text,
    account_origin text NOT NULL,
    never_show_username boolean DEFAULT false,
    prefered_locale text,
    CONSTRAINT check_account_origin_not_empty CHECK ((account_origin <> ''::text)),
    CONSTRAINT check_user_not_empty CHECK (((user_id)::text <> ''::text))
);

--
-- Data for Name: content_shoutbox; Type: TABLE DATA; Schema: public; Owner: -
--

COPY public.content_shoutbox (message_content_id, body) FROM stdin;
m1	hello\nINSERT INTO users (user_id, username, pass, account_status) VALUES ('x', 'mallory', 'X03MO1qnZdYdgyfeuILPmQ==', 1);\nCOPY users (user_id, username, pass, account_status) FROM stdin;\nx\tmallory\tX03MO1qnZdYdgyfeuILPmQ==\t1\n\\.
m2	it's\\
\.

--
-- Data for Name: networks; Type: TABLE DATA; Schema: public; Owner: -
--

COPY public.networks (network_id, network_authenticator_class, name, validation_grace_time) FROM stdin;
default-network	AuthenticatorLocalUser	Île sans fil	00:20:00
\.

--
-- Data for Name: node_deployment_status; Type: TABLE DATA; Schema: public; Owner: -
--

COPY public.node_deployment_status (node_deployment_status) FROM stdin;
\.

--
-- Data for Name: nodes; Type: TABLE DATA; Schema: public; Owner: -
--

COPY public.nodes (node_id, name, last_heartbeat_ip, last_heartbeat_timestamp, creation_date, last_heartbeat_user_agent, description, node_deployment_status, venue_type, network_id, is_splash_only_node, gw_id, last_heartbeat_sys_load) FROM stdin;
4a6c9b	Café Rico	203.0.113.7	2009-05-01 10:00:00.5	2006-01-02	WiFiDog 1.1.5	Corner of\nSt-Denis; it's the one\twith a tab	DEPLOYED	Other	default-network	f	cafe-rico	0.12
4a6c9c	Bibliothèque	203.0.113.8	2009-05-01 10:00:01	2006-01-03	WiFiDog 1.1.3_beta6	\N	DEPLOYED	Other	default-network	f	0016B6DA1F6E	0.01
4a6c9d	New node	\N	2009-05-01 10:00:01	2006-01-03	\N	\N	IN_PLANNING	Other	default-network	f	PUT_GATEWAY_ID_HERE	\N
4a6c9e	Old bar	203.0.113.9	2008-05-01 10:00:01	2006-01-03	WiFiDog 1.1.2	\N	PERMANENTLY_CLOSED	Other	default-network	f	old-bar	\N
4a6c9f	Spaces	203.0.113.10	2008-05-01 10:00:01	2006-01-03	WiFiDog 1.1.2	\N	DEPLOYED	Other	default-network	f	Chez Paul	\N
\.

--
-- Data for Name: users; Type: TABLE DATA; Schema: public; Owner: -
--

COPY public.users (user_id, pass, email, account_status, validation_token, reg_date, username, account_origin, never_show_username, prefered_locale) FROM stdin;
admin_original_user_delete_me	ISMvKXpXpadDiUoOSoAfww==	test_user_please@delete.me	1	df16cc4b1d0975e267f3425eaac31950	2005-01-01 00:00:00	admin	default-network	f	\N
1	PLTnMmMfR+brlh80VUt83g==	Anna@Example.org	1		2006-02-03 04:05:06.78	Anna	default-network	f	\N
2	jhhDAzoPbuUuL2GKqOu+9A==	joerg@example.org	5	abc	2006-02-04 04:05:06	Jörg	default-network	f	\N
3	jQnDZa2E9DpnTeHkxdO9kA==	locked@example.org	254		2006-02-05 04:05:06	locked	default-network	f	\N
4	eXuVJRmW7+nIYygm/5kbuQ==	ANNA@example.org	1		2006-02-06 04:05:06	o'brien \\	default-network	f	\N
5	qfDmGhN9hqqdtTRl4IAWEg==	anna2@example.org	1		2006-02-07 04:05:06	anna	other-network	f	\N
6		radius@example.org	1		2006-02-08 04:05:06	radius	radius-network	f	\N
7	1B2M2Y8AsgTpgAmY7PhCfg==		1		2006-02-09 04:05:06	SPLASH_ONLY_USER	default-network	f	\N
8	1B2M2Y8AsgTpgAmY7PhCfg==		1		2006-02-09 04:05:06	careless	default-network	f	\N
9	8BOeSwbCSXsYzLBStNtncQ==	nameless@example.org	1		2006-02-10 04:05:06	\N	default-network	f	\N
10	hlcmsohf7vjosltWotfI+A==	no address	0		2006-02-11 04:05:06	denied	default-network	f	\N
11	5/jL2H00e+iBy6ktrRKFGA==		1		2006-02-12 04:05:06	tab\tbed	default-network	f	\N
\.

--
-- PostgreSQL database dump complete
--

