"""Names under which pages keep things in st.session_state. What a user may share belongs in the URL instead."""

LANGUAGE = "language"
LAST_PROJECT = "last_project"
LAST_DATASET = "last_dataset"
LAST_TRAIN_RUN = "last_train_run"
LAST_TEST_RUN = "last_test_run"
ANNOTATION_DRAFTS = "annotation_drafts"
ITEM_POSITIONS = "item_positions"
