"""How good the answers are: accuracy of rankings and faithfulness of reasons."""
