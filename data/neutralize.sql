-- A copied database must never send.
DELETE FROM ir_config_parameter
 WHERE key IN ('meta_capi.access_token', 'meta_capi.app_secret', 'meta_capi.test_event_code');

UPDATE ir_config_parameter
   SET value = 'False'
 WHERE key IN ('meta_capi.enabled', 'meta_capi.bridge_enabled');

UPDATE website
   SET meta_capi_access_token = NULL,
       meta_capi_test_event_code = NULL,
       meta_capi_bridge_enabled = NULL;

UPDATE meta_capi_event
   SET state = 'cancelled',
       cause = 'cancelled',
       next_attempt_at = NULL
 WHERE state = 'pending';

UPDATE meta_capi_backfill
   SET state = CASE state WHEN 'sending' THEN 'stopped' ELSE 'draft' END
 WHERE state IN ('counting', 'sending');
