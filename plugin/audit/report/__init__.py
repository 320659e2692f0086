"""The patient's report: who looked at outside results of one patient, when, at which kinds of data, why, from where."""
