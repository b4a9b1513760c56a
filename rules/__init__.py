"""The second floor: what people write becomes what the engine judges. No sockets, no clock.

Which file answers which question, in the order a rule walks through them:

    What is wrong with a file, and how is it said?         errors, explanations,
                                                           structure_explanations, reports,
                                                           titles_zh,
                                                           expression_explanations
    How is YAML read so that `no` stays `no`?              yaml_text
    Which keys, features and words does the language have? vocabulary, feature_words, fields,
                                                           keys; schema for editors
    What colours are there, and what do numbers measure?   grade, unit_table, units
    How does the text of an expression become a tree?      syntax, expr.lark
    And where it says a macro?                             macros; macro_text reads them
    What does each part of it mean, and in which unit?     checking: names, literals, measures,
                                                           members, elsewhere, joining, drafts,
                                                           wording
    What is an expression once nothing is in doubt?        expression; retold as text
    How is one rule read, part by part?                    rule_text: rule_parts, grading_text,
                                                           message_text, scenario_text,
                                                           rollup_text, sequence_text,
                                                           cluster_text, policy_text, limits_text
    Which settings does a sensor have of its own?          override_text, overriding
    What would a careful duty officer ask about it?        lint
    What is a rule, a pack, a book?                        pack; pack_text and book read them
    What do rules say of each other, and of sensors?       linking, points
    What do warnings say?                                  message, phrases; shown, beside the value
    What happens in a rule's inline tests?                 scenario: feeds_text, csv_feed
    What is different between two sets of packs?           changes
    How is a pack laid out?                                canonical
    What could stand at the cursor?                        editing
    Which conditions and holds does each grade have?       graded
    What must the engine keep for the rules, at what cost? plan, bill;
                                                           needs, feature by feature
    What is asked of members of a tank, a dam, a cluster?  grouping
    Which grades are due, row by row?                      judge; ageing, if nothing came
    And where some members of a set are unknown?           intervals, sets
    How are the conditions of all rules judged at once?    program: steps

Packs hold quantities in the unit of the rule's input; everything written in another unit has been
converted when the pack was read, and nothing is converted while judging.
"""
