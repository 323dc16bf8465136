UPDATE share_links SET label = 'Spring Newsletter', label_folded = 'spring newsletter'
