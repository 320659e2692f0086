"""Documents made into what can be looked at: pictures of pages, and text without markup of its own.

Whatever reads untrusted bytes (PDFium, image decoders, an XML parser) runs in a process that may do nothing but
compute: `pool` asks, `worker` forks one such process for each document, `confinement` takes its rights away.
Who may see what, and how a page of ours looks, is not known here.
"""
