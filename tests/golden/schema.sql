CREATE TABLE adjudication (
    decision_id INTEGER NOT NULL,
    opinion_id INTEGER NOT NULL,
    CONSTRAINT pk_adjudication PRIMARY KEY (decision_id),
    CONSTRAINT fk_adjudication_decision_id FOREIGN KEY(decision_id) REFERENCES decision (id),
    CONSTRAINT fk_adjudication_opinion_id FOREIGN KEY(opinion_id) REFERENCES second_opinion (id)
);

CREATE TABLE alembic_version (
    version_num VARCHAR(32) NOT NULL,
    CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);

CREATE TABLE alias (
    id INTEGER NOT NULL,
    item_id INTEGER NOT NULL,
    listing_id INTEGER NOT NULL,
    decision_id INTEGER NOT NULL,
    text_key VARCHAR NOT NULL,
    withdrawn INTEGER DEFAULT 0 NOT NULL,
    CONSTRAINT pk_alias PRIMARY KEY (id),
    CONSTRAINT fk_alias_decision_id FOREIGN KEY(decision_id) REFERENCES decision (id),
    CONSTRAINT fk_alias_item_id FOREIGN KEY(item_id) REFERENCES item (id),
    CONSTRAINT fk_alias_listing_id FOREIGN KEY(listing_id) REFERENCES listing (id),
    CONSTRAINT uq_alias_decision_id UNIQUE (decision_id)
);

CREATE TABLE audit_outcome (
    decision_id INTEGER NOT NULL,
    live_audit_id INTEGER NOT NULL,
    draw_id INTEGER NOT NULL,
    position INTEGER NOT NULL,
    release_id VARCHAR,
    item_id INTEGER,
    confidence DOUBLE NOT NULL,
    "right" INTEGER NOT NULL,
    CONSTRAINT pk_audit_outcome PRIMARY KEY (decision_id),
    CONSTRAINT fk_audit_outcome_decision_id FOREIGN KEY(decision_id) REFERENCES decision (id),
    CONSTRAINT fk_audit_outcome_live_audit_id FOREIGN KEY(live_audit_id) REFERENCES live_audit (id),
    CONSTRAINT fk_audit_outcome_draw_id FOREIGN KEY(draw_id) REFERENCES draw (id)
);

CREATE TABLE candidate_list (
    listing_id INTEGER NOT NULL,
    candidates BLOB NOT NULL,
    CONSTRAINT pk_candidate_list PRIMARY KEY (listing_id),
    CONSTRAINT fk_candidate_list_listing_id FOREIGN KEY(listing_id) REFERENCES listing (id)
);

CREATE TABLE champion_event (
    id INTEGER NOT NULL,
    at VARCHAR NOT NULL,
    release_id VARCHAR NOT NULL,
    action VARCHAR NOT NULL,
    CONSTRAINT pk_champion_event PRIMARY KEY (id),
    CONSTRAINT ck_champion_event_action CHECK (action IN ('first', 'promote', 'rollback', 'refit')),
    CONSTRAINT fk_champion_event_release_id FOREIGN KEY(release_id) REFERENCES release (id)
);

CREATE TABLE decision (
    id INTEGER NOT NULL,
    listing_id INTEGER NOT NULL,
    verdict VARCHAR NOT NULL,
    item_id INTEGER,
    reviewer VARCHAR NOT NULL,
    decided_at VARCHAR NOT NULL,
    stream VARCHAR NOT NULL,
    release_id VARCHAR,
    draw_id INTEGER,
    draw_probability DOUBLE,
    supersedes_id INTEGER,
    note VARCHAR NOT NULL,
    rejected VARCHAR NOT NULL,
    shown BLOB NOT NULL,
    also_right VARCHAR DEFAULT '[]' NOT NULL,
    CONSTRAINT pk_decision PRIMARY KEY (id),
    CONSTRAINT ck_decision_stream CHECK (stream IN ('random', 'learning', 'manual')),
    CONSTRAINT ck_decision_verdict CHECK (verdict IN ('match', 'variant', 'none', 'new_item', 'unsure', 'bad_listing')),
    CONSTRAINT fk_decision_draw_id FOREIGN KEY(draw_id) REFERENCES draw (id),
    CONSTRAINT fk_decision_item_id FOREIGN KEY(item_id) REFERENCES item (id),
    CONSTRAINT fk_decision_listing_id FOREIGN KEY(listing_id) REFERENCES listing (id),
    CONSTRAINT fk_decision_supersedes_id FOREIGN KEY(supersedes_id) REFERENCES decision (id)
);

CREATE TABLE decision_event (
    id INTEGER NOT NULL,
    decision_id INTEGER NOT NULL,
    kind VARCHAR NOT NULL,
    at VARCHAR NOT NULL,
    CONSTRAINT pk_decision_event PRIMARY KEY (id),
    CONSTRAINT ck_decision_event_kind CHECK (kind IN ('add', 'undo', 'redo', 'supersede', 'reinstate', 'lapse')),
    CONSTRAINT fk_decision_event_decision_id FOREIGN KEY(decision_id) REFERENCES decision (id)
);

CREATE VIRTUAL TABLE decision_search USING fts5 (
    words, content='', prefix='2 3', tokenize='unicode61 remove_diacritics 2');

CREATE TABLE decision_state (
    decision_id INTEGER NOT NULL,
    listing_id INTEGER NOT NULL,
    reviewer VARCHAR NOT NULL,
    stream VARCHAR NOT NULL,
    state VARCHAR NOT NULL,
    position INTEGER NOT NULL,
    CONSTRAINT pk_decision_state PRIMARY KEY (decision_id),
    CONSTRAINT ck_decision_state_state CHECK (state IN ('in_force', 'undone', 'superseded', 'lapsed')),
    CONSTRAINT fk_decision_state_decision_id FOREIGN KEY(decision_id) REFERENCES decision (id),
    CONSTRAINT fk_decision_state_listing_id FOREIGN KEY(listing_id) REFERENCES listing (id),
    CONSTRAINT fk_decision_state_position FOREIGN KEY(position) REFERENCES decision_event (id)
);

CREATE TABLE draw (
    id INTEGER NOT NULL,
    listing_id INTEGER NOT NULL,
    probability DOUBLE NOT NULL,
    policy VARCHAR NOT NULL,
    release_id VARCHAR,
    zone_min_confidence DOUBLE,
    drawn_at VARCHAR NOT NULL,
    state VARCHAR NOT NULL,
    decision_id INTEGER,
    CONSTRAINT pk_draw PRIMARY KEY (id),
    CONSTRAINT ck_draw_state CHECK (state IN ('open', 'answered', 'void')),
    CONSTRAINT ck_draw_probability CHECK (probability > 0 AND probability <= 1),
    CONSTRAINT fk_draw_listing_id FOREIGN KEY(listing_id) REFERENCES listing (id)
);

CREATE TABLE feed (
    id INTEGER NOT NULL,
    name VARCHAR NOT NULL,
    imported_at VARCHAR NOT NULL,
    CONSTRAINT pk_feed PRIMARY KEY (id),
    CONSTRAINT uq_feed_name UNIQUE (name)
);

CREATE TABLE gold_event (
    id INTEGER NOT NULL,
    decision_id INTEGER NOT NULL,
    gold INTEGER NOT NULL,
    reviewer VARCHAR NOT NULL,
    at VARCHAR NOT NULL,
    CONSTRAINT pk_gold_event PRIMARY KEY (id),
    CONSTRAINT ck_gold_event_gold CHECK (gold IN (0, 1)),
    CONSTRAINT fk_gold_event_decision_id FOREIGN KEY(decision_id) REFERENCES decision (id)
);

CREATE TABLE import (
    id INTEGER NOT NULL,
    at VARCHAR NOT NULL,
    kind VARCHAR NOT NULL,
    feed VARCHAR NOT NULL,
    path VARCHAR NOT NULL,
    sha256 VARCHAR NOT NULL,
    rows INTEGER NOT NULL,
    added INTEGER NOT NULL,
    updated INTEGER NOT NULL,
    unchanged INTEGER NOT NULL,
    refused_total INTEGER NOT NULL,
    CONSTRAINT pk_import PRIMARY KEY (id)
);

CREATE TABLE item (
    id INTEGER NOT NULL,
    external_id VARCHAR NOT NULL,
    content_hash BLOB NOT NULL,
    text_key VARCHAR NOT NULL,
    added_at VARCHAR NOT NULL,
    changed_at VARCHAR,
    price DOUBLE,
    gtin VARCHAR NOT NULL,
    title VARCHAR NOT NULL,
    brand VARCHAR NOT NULL,
    model VARCHAR NOT NULL,
    category VARCHAR NOT NULL,
    image VARCHAR NOT NULL,
    description VARCHAR NOT NULL,
    attributes VARCHAR NOT NULL,
    CONSTRAINT pk_item PRIMARY KEY (id),
    CONSTRAINT uq_item_external_id UNIQUE (external_id)
);

CREATE VIRTUAL TABLE item_search USING fts5 (
    title, brand, model, content='item', content_rowid='id', prefix='2 3',
    tokenize='unicode61 remove_diacritics 2');

CREATE TABLE listing (
    id INTEGER NOT NULL,
    external_id VARCHAR NOT NULL,
    content_hash BLOB NOT NULL,
    text_key VARCHAR NOT NULL,
    added_at VARCHAR NOT NULL,
    changed_at VARCHAR,
    feed_id INTEGER NOT NULL,
    price DOUBLE,
    gtin VARCHAR NOT NULL,
    title VARCHAR NOT NULL,
    brand VARCHAR NOT NULL,
    model VARCHAR NOT NULL,
    category VARCHAR NOT NULL,
    image VARCHAR NOT NULL,
    description VARCHAR NOT NULL,
    attributes VARCHAR NOT NULL,
    CONSTRAINT pk_listing PRIMARY KEY (id),
    CONSTRAINT fk_listing_feed_id FOREIGN KEY(feed_id) REFERENCES feed (id),
    CONSTRAINT uq_listing_external_id_feed_id UNIQUE (external_id, feed_id)
);

CREATE TABLE listing_route (
    listing_id INTEGER NOT NULL,
    feed_id INTEGER NOT NULL,
    random_key INTEGER NOT NULL,
    reserve INTEGER DEFAULT 0 NOT NULL,
    inclusion DOUBLE DEFAULT 0 NOT NULL,
    machine_route VARCHAR,
    machine_reason VARCHAR,
    item_id INTEGER,
    confidence DOUBLE,
    none_confidence DOUBLE,
    margin DOUBLE,
    uncertainty DOUBLE,
    priority DOUBLE,
    release_id VARCHAR,
    decision_id INTEGER,
    decided INTEGER DEFAULT 0 NOT NULL,
    unsure INTEGER DEFAULT 0 NOT NULL,
    snoozed INTEGER DEFAULT 0 NOT NULL,
    drawn INTEGER DEFAULT 0 NOT NULL,
    lapsed INTEGER DEFAULT 0 NOT NULL,
    route VARCHAR GENERATED ALWAYS AS (CASE WHEN decided = 1 THEN 'settled' ELSE machine_route END) STORED,
    reason VARCHAR GENERATED ALWAYS AS (CASE WHEN decided = 1 THEN 'decided' WHEN machine_route = 'review' AND (snoozed > 0 OR unsure = 1) THEN 'snoozed' WHEN machine_route = 'review' AND lapsed = 1 THEN 'changed' ELSE machine_reason END) STORED,
    queue INTEGER GENERATED ALWAYS AS (CASE WHEN decided = 1 OR machine_route IS NULL OR machine_route <> 'review' THEN NULL WHEN snoozed = 2 THEN 2 WHEN drawn = 1 OR (reserve = 1 AND drawn = 0) THEN 3 WHEN snoozed = 1 OR unsure = 1 THEN 1 ELSE 0 END) STORED,
    CONSTRAINT pk_listing_route PRIMARY KEY (listing_id),
    CONSTRAINT ck_listing_route_machine_route CHECK (machine_route IN ('automated', 'review', 'settled')),
    CONSTRAINT ck_listing_route_decided CHECK (decided IN (0, 1)),
    CONSTRAINT ck_listing_route_drawn CHECK (drawn IN (0, 1, 2)),
    CONSTRAINT ck_listing_route_reserve CHECK (reserve IN (0, 1)),
    CONSTRAINT ck_listing_route_snoozed CHECK (snoozed IN (0, 1, 2)),
    CONSTRAINT fk_listing_route_decision_id FOREIGN KEY(decision_id) REFERENCES decision (id),
    CONSTRAINT fk_listing_route_feed_id FOREIGN KEY(feed_id) REFERENCES feed (id),
    CONSTRAINT fk_listing_route_item_id FOREIGN KEY(item_id) REFERENCES item (id),
    CONSTRAINT fk_listing_route_listing_id FOREIGN KEY(listing_id) REFERENCES listing (id)
);

CREATE TABLE listing_trait (
    listing_id INTEGER NOT NULL,
    brand VARCHAR NOT NULL,
    category VARCHAR NOT NULL,
    pack INTEGER NOT NULL,
    model_code INTEGER NOT NULL,
    CONSTRAINT pk_listing_trait PRIMARY KEY (listing_id),
    CONSTRAINT fk_listing_trait_listing_id FOREIGN KEY(listing_id) REFERENCES listing (id)
);

CREATE TABLE live_audit (
    id INTEGER NOT NULL,
    kind VARCHAR NOT NULL,
    release_id VARCHAR NOT NULL,
    opened_at VARCHAR NOT NULL,
    precision DOUBLE NOT NULL,
    accepted INTEGER NOT NULL,
    errors INTEGER NOT NULL,
    choice INTEGER NOT NULL,
    draws_before INTEGER NOT NULL,
    suspended_at VARCHAR,
    suspended_after INTEGER,
    suspended_release VARCHAR,
    attempts INTEGER DEFAULT 0 NOT NULL,
    CONSTRAINT pk_live_audit PRIMARY KEY (id),
    CONSTRAINT ck_live_audit_kind CHECK (kind IN ('match', 'none', 'both')),
    CONSTRAINT fk_live_audit_release_id FOREIGN KEY(release_id) REFERENCES release (id)
);

CREATE TABLE opinion_event (
    id INTEGER NOT NULL,
    opinion_id INTEGER NOT NULL,
    kind VARCHAR NOT NULL,
    after_event INTEGER NOT NULL,
    at VARCHAR NOT NULL,
    CONSTRAINT pk_opinion_event PRIMARY KEY (id),
    CONSTRAINT ck_opinion_event_kind CHECK (kind IN ('add', 'undo', 'redo')),
    CONSTRAINT fk_opinion_event_opinion_id FOREIGN KEY(opinion_id) REFERENCES second_opinion (id)
);

CREATE TABLE opinion_state (
    opinion_id INTEGER NOT NULL,
    listing_id INTEGER NOT NULL,
    reviewer VARCHAR NOT NULL,
    differs INTEGER NOT NULL,
    state VARCHAR NOT NULL,
    position INTEGER NOT NULL,
    CONSTRAINT pk_opinion_state PRIMARY KEY (opinion_id),
    CONSTRAINT ck_opinion_state_state CHECK (state IN ('given', 'undone')),
    CONSTRAINT fk_opinion_state_opinion_id FOREIGN KEY(opinion_id) REFERENCES second_opinion (id),
    CONSTRAINT fk_opinion_state_listing_id FOREIGN KEY(listing_id) REFERENCES listing (id),
    CONSTRAINT fk_opinion_state_position FOREIGN KEY(position) REFERENCES opinion_event (id)
);

CREATE TABLE overlap (
    id INTEGER NOT NULL,
    decision_id INTEGER NOT NULL,
    listing_id INTEGER NOT NULL,
    probability DOUBLE NOT NULL,
    policy VARCHAR NOT NULL,
    drawn_at VARCHAR NOT NULL,
    state VARCHAR NOT NULL,
    CONSTRAINT pk_overlap PRIMARY KEY (id),
    CONSTRAINT ck_overlap_probability CHECK (probability > 0 AND probability <= 1),
    CONSTRAINT ck_overlap_state CHECK (state IN ('open', 'answered')),
    CONSTRAINT fk_overlap_decision_id FOREIGN KEY(decision_id) REFERENCES decision (id),
    CONSTRAINT fk_overlap_listing_id FOREIGN KEY(listing_id) REFERENCES listing (id),
    CONSTRAINT uq_overlap_decision_id UNIQUE (decision_id)
);

CREATE TABLE rate_snapshot (
    id INTEGER NOT NULL,
    at VARCHAR NOT NULL,
    release_id VARCHAR,
    listings INTEGER NOT NULL,
    coverage DOUBLE NOT NULL,
    none_rate DOUBLE NOT NULL,
    memory_rate DOUBLE NOT NULL,
    automation_rate DOUBLE NOT NULL,
    decisions INTEGER NOT NULL,
    CONSTRAINT pk_rate_snapshot PRIMARY KEY (id)
);

CREATE TABLE refused_row (
    id INTEGER NOT NULL,
    import_id INTEGER NOT NULL,
    "row" INTEGER NOT NULL,
    "column" VARCHAR NOT NULL,
    reason VARCHAR NOT NULL,
    CONSTRAINT pk_refused_row PRIMARY KEY (id),
    CONSTRAINT fk_refused_row_import_id FOREIGN KEY(import_id) REFERENCES import (id)
);

CREATE TABLE release (
    number INTEGER NOT NULL,
    id VARCHAR NOT NULL,
    created_at VARCHAR NOT NULL,
    manifest VARCHAR NOT NULL,
    certificate VARCHAR,
    none_certificate VARCHAR,
    gate VARCHAR,
    CONSTRAINT pk_release PRIMARY KEY (number),
    CONSTRAINT uq_release_id UNIQUE (id)
);

CREATE TABLE route_count (
    feed_id INTEGER NOT NULL,
    route VARCHAR NOT NULL,
    reason VARCHAR NOT NULL,
    listings INTEGER NOT NULL,
    CONSTRAINT pk_route_count PRIMARY KEY (feed_id, route, reason),
    CONSTRAINT fk_route_count_feed_id FOREIGN KEY(feed_id) REFERENCES feed (id)
)
 WITHOUT ROWID;

CREATE TABLE second_opinion (
    id INTEGER NOT NULL,
    decision_id INTEGER NOT NULL,
    overlap_id INTEGER,
    listing_id INTEGER NOT NULL,
    verdict VARCHAR NOT NULL,
    item_id INTEGER,
    reviewer VARCHAR NOT NULL,
    decided_at VARCHAR NOT NULL,
    release_id VARCHAR,
    note VARCHAR NOT NULL,
    rejected VARCHAR NOT NULL,
    shown BLOB NOT NULL,
    also_right VARCHAR DEFAULT '[]' NOT NULL,
    CONSTRAINT pk_second_opinion PRIMARY KEY (id),
    CONSTRAINT ck_second_opinion_verdict CHECK (verdict IN ('match', 'variant', 'none', 'new_item', 'unsure', 'bad_listing')),
    CONSTRAINT fk_second_opinion_decision_id FOREIGN KEY(decision_id) REFERENCES decision (id),
    CONSTRAINT fk_second_opinion_overlap_id FOREIGN KEY(overlap_id) REFERENCES overlap (id),
    CONSTRAINT fk_second_opinion_listing_id FOREIGN KEY(listing_id) REFERENCES listing (id),
    CONSTRAINT fk_second_opinion_item_id FOREIGN KEY(item_id) REFERENCES item (id)
);

CREATE TABLE setting (
    name VARCHAR NOT NULL,
    value VARCHAR NOT NULL,
    CONSTRAINT pk_setting PRIMARY KEY (name)
);

CREATE TABLE training_run (
    number INTEGER NOT NULL,
    id VARCHAR NOT NULL,
    recipe VARCHAR NOT NULL,
    seed INTEGER NOT NULL,
    device VARCHAR NOT NULL,
    state VARCHAR NOT NULL,
    pairs INTEGER NOT NULL,
    created_at VARCHAR NOT NULL,
    folder VARCHAR NOT NULL,
    message VARCHAR NOT NULL,
    release_id VARCHAR,
    CONSTRAINT pk_training_run PRIMARY KEY (number),
    CONSTRAINT uq_training_run_id UNIQUE (id)
);

CREATE INDEX ix_adjudication_opinion_id ON adjudication (opinion_id);

CREATE INDEX ix_alias_item_id ON alias (item_id);

CREATE INDEX ix_alias_text_key ON alias (text_key);

CREATE INDEX ix_audit_outcome_draw_id ON audit_outcome (draw_id);

CREATE INDEX ix_audit_outcome_live_audit_id_position ON audit_outcome (live_audit_id, position);

CREATE INDEX ix_decision_event_decision_id ON decision_event (decision_id);

CREATE INDEX ix_decision_listing_id ON decision (listing_id);

CREATE INDEX ix_decision_reviewer ON decision (reviewer);

CREATE UNIQUE INDEX ix_decision_state_listing_id ON decision_state (listing_id) WHERE state = 'in_force';

CREATE INDEX ix_decision_state_position ON decision_state (state, position);

CREATE INDEX ix_decision_state_reviewer_position ON decision_state (reviewer, state, position);

CREATE INDEX ix_decision_state_stream ON decision_state (state, stream);

CREATE INDEX ix_decision_verdict ON decision (verdict);

CREATE INDEX ix_draw_decision_id ON draw (decision_id);

CREATE INDEX ix_draw_listing_id ON draw (listing_id);

CREATE UNIQUE INDEX ix_draw_open ON draw (listing_id) WHERE state = 'open';

CREATE INDEX ix_gold_event_decision_id ON gold_event (decision_id);

CREATE INDEX ix_item_gtin ON item (gtin) WHERE gtin <> '';

CREATE INDEX ix_listing_feed_id ON listing (feed_id);

CREATE INDEX ix_listing_route_family ON listing_route (feed_id, queue, item_id, confidence DESC) WHERE queue < 2;

CREATE INDEX ix_listing_route_feed_route ON listing_route (feed_id, route);

CREATE INDEX ix_listing_route_gain ON listing_route (feed_id, queue, priority DESC) WHERE queue < 2;

CREATE INDEX ix_listing_route_oldest ON listing_route (feed_id, queue) WHERE queue < 2;

CREATE INDEX ix_listing_route_random ON listing_route (feed_id, queue, random_key) WHERE queue < 2;

CREATE INDEX ix_listing_route_reserve ON listing_route (feed_id, confidence) WHERE reserve = 1;

CREATE INDEX ix_listing_route_snoozed ON listing_route (snoozed) WHERE snoozed > 0;

CREATE INDEX ix_listing_route_uncertain ON listing_route (feed_id, queue, uncertainty, margin) WHERE queue < 2;

CREATE INDEX ix_listing_route_unmatched ON listing_route (feed_id) WHERE machine_route IS NULL;

CREATE INDEX ix_listing_route_zone ON listing_route (feed_id, confidence) WHERE decided = 0 AND drawn = 0 AND machine_route IS NOT NULL;

CREATE INDEX ix_listing_text_key ON listing (text_key);

CREATE INDEX ix_opinion_event_opinion_id ON opinion_event (opinion_id);

CREATE UNIQUE INDEX ix_opinion_state_asked_once ON opinion_state (listing_id, reviewer) WHERE state = 'given';

CREATE INDEX ix_opinion_state_differs ON opinion_state (opinion_id) WHERE state = 'given' AND differs = 1;

CREATE INDEX ix_opinion_state_position ON opinion_state (state, position);

CREATE INDEX ix_overlap_open ON overlap (id) WHERE state = 'open';

CREATE INDEX ix_refused_row_import_id ON refused_row (import_id);

CREATE INDEX ix_second_opinion_decision_id ON second_opinion (decision_id);

CREATE INDEX ix_second_opinion_listing_id ON second_opinion (listing_id);

CREATE TRIGGER adjudication_no_delete BEFORE DELETE ON adjudication BEGIN
    SELECT raise(ABORT, 'adjudication is append-only');
END;

CREATE TRIGGER adjudication_no_update BEFORE UPDATE ON adjudication BEGIN
    SELECT raise(ABORT, 'adjudication is append-only');
END;

CREATE TRIGGER champion_event_no_delete BEFORE DELETE ON champion_event BEGIN
    SELECT raise(ABORT, 'champion_event is append-only');
END;

CREATE TRIGGER champion_event_no_update BEFORE UPDATE ON champion_event BEGIN
    SELECT raise(ABORT, 'champion_event is append-only');
END;

CREATE TRIGGER decision_event_no_delete BEFORE DELETE ON decision_event BEGIN
    SELECT raise(ABORT, 'decision_event is append-only');
END;

CREATE TRIGGER decision_event_no_update BEFORE UPDATE ON decision_event BEGIN
    SELECT raise(ABORT, 'decision_event is append-only');
END;

CREATE TRIGGER decision_no_delete BEFORE DELETE ON decision BEGIN
    SELECT raise(ABORT, 'decision is append-only');
END;

CREATE TRIGGER decision_no_update BEFORE UPDATE ON decision BEGIN
    SELECT raise(ABORT, 'decision is append-only');
END;

CREATE TRIGGER gold_event_no_delete BEFORE DELETE ON gold_event BEGIN
    SELECT raise(ABORT, 'gold_event is append-only');
END;

CREATE TRIGGER gold_event_no_update BEFORE UPDATE ON gold_event BEGIN
    SELECT raise(ABORT, 'gold_event is append-only');
END;

CREATE TRIGGER opinion_event_no_delete BEFORE DELETE ON opinion_event BEGIN
    SELECT raise(ABORT, 'opinion_event is append-only');
END;

CREATE TRIGGER opinion_event_no_update BEFORE UPDATE ON opinion_event BEGIN
    SELECT raise(ABORT, 'opinion_event is append-only');
END;

CREATE TRIGGER route_count_delete AFTER DELETE ON listing_route BEGIN
    INSERT INTO route_count (feed_id, route, reason, listings)
    VALUES (old.feed_id, coalesce(old.route, ''), coalesce(old.reason, ''), -1)
    ON CONFLICT (feed_id, route, reason) DO UPDATE SET listings = listings + excluded.listings;
END;

CREATE TRIGGER route_count_insert AFTER INSERT ON listing_route BEGIN
    INSERT INTO route_count (feed_id, route, reason, listings)
    VALUES (new.feed_id, coalesce(new.route, ''), coalesce(new.reason, ''), 1)
    ON CONFLICT (feed_id, route, reason) DO UPDATE SET listings = listings + excluded.listings;
END;

CREATE TRIGGER route_count_update AFTER UPDATE ON listing_route
WHEN old.route IS NOT new.route OR old.reason IS NOT new.reason OR old.feed_id IS NOT new.feed_id BEGIN
    INSERT INTO route_count (feed_id, route, reason, listings)
    VALUES (old.feed_id, coalesce(old.route, ''), coalesce(old.reason, ''), -1)
    ON CONFLICT (feed_id, route, reason) DO UPDATE SET listings = listings + excluded.listings;
    INSERT INTO route_count (feed_id, route, reason, listings)
    VALUES (new.feed_id, coalesce(new.route, ''), coalesce(new.reason, ''), 1)
    ON CONFLICT (feed_id, route, reason) DO UPDATE SET listings = listings + excluded.listings;
END;

CREATE TRIGGER second_opinion_no_delete BEFORE DELETE ON second_opinion BEGIN
    SELECT raise(ABORT, 'second_opinion is append-only');
END;

CREATE TRIGGER second_opinion_no_update BEFORE UPDATE ON second_opinion BEGIN
    SELECT raise(ABORT, 'second_opinion is append-only');
END;
