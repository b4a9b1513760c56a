"""The third floor: bytes, time, state and sockets. Which file answers which question?

Walking with a frame, from the gateway to the siren:

    How does a gateway send?                          feed: recordings, cutting, spool, dispatch,
                                                      gateway
    What is on the wire?                              wire (headers), body (columns)
    Who receives a frame, and says when it is safe?   intake; gate: callers, deadletters
    Where is it written down first?                   journal: segments, reader; disk
    How does it become readings of a shard?           decode, inlet, layout, columns
    What time is it there, and what is late?          clock
    What happened in the last minutes?                windows, onsets; history: stacks, trails
    What can rules look at?                           features: measures, trends, calendars
    Is it unusual?                                    anomaly, model_state
    What do the conditions of all rules say?          verdicts; variants of a rule's settings
    Which grade stands?                               latches; terms
    Which sensors make an instance of a rule?         instances, geography; placement
    What do they tell, and what do they say together? signals, quorum; groups: instance_columns,
                                                      sequences, grades, tidings
    What is judged beyond one site?                   correlate; correlator across changes of rules
    Which stations trigger together?                  clusters: stations, coincidence, news
    How does a warning behave towards people?         conduct: courses; desk, boards;
                                                      inhibition, parties
    What may operators do to it?                      acts; obedience; duty
    What are people told?                             episodes; sayings beside the value
    Where does a warning become final?                sinks: ledger, positions, content
    Who publishes it, and answers about the past?     publisher, replay
    How does a consumer hear it?                      listen: follower, lines

The rooms of that walk (intake, decode, clock, windows, features, anomaly, conduct, episodes,
sinks) do not
know each other. Corridors join them:

    Inside one shard?                                 shard; bank; ranges of rows; leap, over panes
                                                      that say nothing new
    The whole flow on one page?                       dataflow; ports is all that Bytewax touches;
                                                      allowance
    From configuration to the end of a process?       run; assembly, machine
    Which rules judge, at which place of the journal? activations, rule_sets
    How do rules change while an engine runs?         reloading, watching, orders; status
    What survives a restart, and a change of rules?   keeper, store, adoption, succession, heirs,
                                                      reconsidering, superseding, definitions,
                                                      carrying, formats, rebuilding,
                                                      group_adoption

Around the walk:

    What may be typed?                                cli, author_cli, duty_cli; __main__;
                                                      operator_cli: asking
    What does a file mean, and what is wrong in it?   config, document, amounts, endpoints
    What is known before the first frame?             registry: csv_text, sensor_types; sorts
    Do rules, models and catalogue fit together?      links: calendar_links, point_links,
                                                      model_versions; check
    Do the tests of a pack hold?                      trying: trial, expecting, reasons;
                                                      scene: puppets
    What do the tests of a pack leave open?           coverage, generated, mutation
    How should a pack look?                           formatting
    How is the engine driven without a flow?          drive
    What does a journal tell when it is played again? replaying: rerun, tales, truths; tables
    What would other rules change?                    planning
    Why was it told, and why not?                     explaining: inquiry, account, lone_row,
                                                      instance_account; clauses
    What does a code mean?                            explain: pages, titles_zh; nearest
    What does the reference say?                      reference
    Who answers an editor?                            language_server
    What can be seen in a minute?                     demo, plant
    What ends a command, and with which code?         errors
    How is the engine, and who is told?               meters, operations, notify, logs, progress,
                                                      fullness, held
    What has to be compiled before the first frame?   warmup, rehearsal
"""
